"""The network that a bundle's program computes."""

from __future__ import annotations

from typing import Any

import paddle


class Deployed(paddle.nn.Layer):
    """A model with softmax: the probabilities that a bundle's program computes."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: paddle.Tensor) -> paddle.Tensor:
        """Return the probabilities, [N, class_num].

        Args:
            image: Float32 [N, C, H, W].
        """
        return paddle.nn.functional.softmax(self.model(image), axis=-1)


class _DeployedAsItStands(Deployed):
    """A deployed model whose code Paddle runs as it stands to trace it."""

    @paddle.jit.not_to_static
    def forward(self, image: paddle.Tensor) -> paddle.Tensor:
        """Return the probabilities, [N, class_num]."""
        return super().forward(image)


def deployed(model: Any) -> Deployed:
    """Return a model with softmax, ready for `paddle.jit.to_static`.

    Paddle rewrites the source of every function that it traces, so that `if` and `for` over tensors become operators.
    The networks of this package have none: without the rewriting the same program is written up to 12 times as fast.
    A user's own layers may have some and are rewritten.
    """
    return _DeployedAsItStands(model) if is_of_this_package(model) else Deployed(model)


def is_of_this_package(model: Any) -> bool:
    """Whether all layers of a model are this package's or Paddle's."""
    return all(
        type(layer).__module__.partition(".")[0] in ("ppcls", "paddle")
        for layer in model.sublayers(include_self=True)
    )
