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
