"""A model that is trained beside frozen ones, on the same pictures.

Hinton et al. 2015, "Distilling the Knowledge in a Neural Network" (arXiv:1503.02531); with the losses of SSLD, Cui et
al. 2021, "Beyond Self-Supervision" (arXiv:2103.05959). The losses say which model learns from which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import paddle
from paddle import Tensor, nn

from ppcls.arch.layers import Backbone

if TYPE_CHECKING:
    from ppcls.arch.distillation import DistillationModelParams


class DistillationModel(nn.Layer):
    """Logits of several models by their names.

    The frozen models are not sublayers, so nothing that walks a network finds them: no optimizer, no moving average,
    no checkpoint, no `train()`. They stay in evaluation mode, and no gradient passes through them. The state is that
    of the trained model, by its own names, so a checkpoint is one of that model.

    Attributes:
        params: The arguments that it was made with.
        learner: The model that is trained.
    """

    def __init__(
        self, params: DistillationModelParams, models: Mapping[str, Backbone]
    ) -> None:
        super().__init__()
        self.params = params
        # In a dictionary, where Paddle does not register layers
        self._frozen: dict[str, Backbone] = {}
        for name, model in models.items():
            if name in params.frozen:
                self._frozen[name] = _freeze(model)
            else:
                self._learner_name = name
                self.learner = model

    @property
    def frozen(self) -> Mapping[str, Backbone]:
        """The models that are not trained, by their names."""
        return self._frozen

    @property
    def infer_model(self) -> Backbone:
        """The model that is evaluated and exported."""
        return self.frozen.get(self.params.infer_model_name, self.learner)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Logits [N, class_num] of pictures [N, C, H, W] by each model's name, in the order of `params.models`."""
        return {name: self._logits(name, x) for name in self.params.members}

    def _logits(self, name: str, x: Tensor) -> Tensor:
        if name == self._learner_name:
            return self.learner(x)
        model = self.frozen[name]
        model.eval()  # somebody else may have called its `train()`
        with paddle.no_grad():
            return model(x)

    def state_dict(self, *arguments: Any, **keywords: Any) -> dict[str, Tensor]:
        """The state of the model that is trained."""
        return self.learner.state_dict(*arguments, **keywords)

    def set_state_dict(
        self, *arguments: Any, **keywords: Any
    ) -> tuple[list[str], list[str]]:
        """Fill the model that is trained."""
        return self.learner.set_state_dict(*arguments, **keywords)

    set_dict = set_state_dict
    load_dict = set_state_dict


def _freeze(model: Backbone) -> Backbone:
    for parameter in model.parameters():
        parameter.stop_gradient = True
    model.eval()
    return model
