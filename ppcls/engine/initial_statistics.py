"""Batch-norm statistics for weights that were never trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle


def settle_batch_norms(model: Any, image: np.ndarray) -> None:
    """Sets each batch norm's variance to the mean square of its input for one picture.

    With the initial variance of 1 activations grow at every residual connection. Softmax of the logits of SENet154_vd,
    about 100,000, leaves one class all, and rounding decides which: no program could be compared with the model. With
    trained statistics activations stay near 1, and so they do with these. It is one number a layer: a channel's own
    variance may be nothing but rounding where a small picture ends in a single pixel.

    Args:
        model: keeps its parameters, and evaluates afterwards.
        image: a picture as the model takes it, float32 [1, C, H, W].
    """

    def settle(norm: Any, inputs: Any) -> None:
        norm._variance.set_value(
            paddle.full_like(norm._variance, inputs[0].square().mean().item())
        )

    model.eval()
    norms = [
        part for part in model.sublayers() if isinstance(part, paddle.nn.BatchNorm2D)
    ]
    hooks = [norm.register_forward_pre_hook(settle) for norm in norms]
    with paddle.no_grad():
        model(paddle.to_tensor(image))
    for hook in hooks:
        hook.remove()
