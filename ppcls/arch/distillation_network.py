"""A model that is trained beside frozen ones, on the same pictures.

Hinton et al. 2015, "Distilling the Knowledge in a Neural Network" (arXiv:1503.02531); with the losses of SSLD, Cui et
al. 2021, "Beyond Self-Supervision" (arXiv:2103.05959). What is learnt from whom, the losses say.
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

    The frozen ones are no layers of this one, so that nothing that walks a network meets them: no optimizer, no
    moving average, no checkpoint, no `train()`. They stay as they came, in evaluation mode, and no gradient passes
    through them. The state is that of the one that is trained, by its own names: so a checkpoint is one of that model.

    Attributes:
        params: The arguments that it was made with.
        learner: The one that is trained.
    """

    def __init__(
        self, params: DistillationModelParams, models: Mapping[str, Backbone]
    ) -> None:
        super().__init__()
        self.params = params
        (name,) = (name for name in models if name not in params.frozen)
        self.learner = models[name]
        self._learner_name = name
        # Layers in a dict are not seen
        self._frozen = {name: _freeze(models[name]) for name in params.frozen}

    @property
    def frozen(self) -> Mapping[str, Backbone]:
        """The models that are not trained, by their names."""
        return self._frozen

    @property
    def infer_model(self) -> Backbone:
        """The one that is evaluated and exported."""
        return self.frozen.get(self.params.infer_model_name, self.learner)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Logits [N, class_num] of pictures [N, C, H, W] by each model's name, in the order of `params.models`."""
        return {name: self._logits(name, x) for name in self.params.members}

    def _logits(self, name: str, x: Tensor) -> Tensor:
        if name == self._learner_name:
            return self.learner(x)
        model = self.frozen[name]
        model.eval()  # whoever holds it may have called its `train()`
        with paddle.no_grad():
            return model(x)

    def state_dict(self, *arguments: Any, **keywords: Any) -> dict[str, Tensor]:
        """That of the model that is trained."""
        return self.learner.state_dict(*arguments, **keywords)

    def set_state_dict(
        self, *arguments: Any, **keywords: Any
    ) -> tuple[list[str], list[str]]:
        """Fills the model that is trained."""
        return self.learner.set_state_dict(*arguments, **keywords)

    set_dict = set_state_dict
    load_dict = set_state_dict


def _freeze(model: Backbone) -> Backbone:
    for parameter in model.parameters():
        parameter.stop_gradient = True
    model.eval()
    return model
