"""The network that a bundle's program computes."""

from __future__ import annotations

from typing import Any

import paddle


class Deployed(paddle.nn.Layer):
    """What a bundle's program computes: the model's probabilities."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: paddle.Tensor) -> paddle.Tensor:
        """Float32 [N, C, H, W] to [N, class_num]."""
        return paddle.nn.functional.softmax(self.model(image), axis=-1)
