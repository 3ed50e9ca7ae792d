"""Where in a picture a class is seen: Grad-CAM of a network, and occlusion for whatever gives scores.

Sources: Selvaraju et al. 2017, Grad-CAM, arXiv:1610.02391, section 3; Zeiler and Fergus 2014, Visualizing and
Understanding Convolutional Networks, arXiv:1311.2901, section 4.2 (occlusion).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

_POSITIONS = 13  # of the occluding patch, along the shorter side
_PATCH_SHARE = 0.22  # of the shorter side
_OPACITY = 0.55
_LEAST = 1e-12  # a probability

Run = Callable[[np.ndarray], np.ndarray]


def grad_cam(network: Any, inputs: np.ndarray, class_ids: Sequence[int]) -> np.ndarray:
    """Compute the Grad-CAM of one class for each picture.

    The tensor of the last stage is weighted by the mean gradient of the class's logit, channel by channel, and what
    speaks against the class is cut off.

    Args:
        network: A backbone of this library, which is left in evaluation mode.
        inputs: Preprocessed pictures, float32 [N, C, H, W].
        class_ids: A class for each picture.

    Returns:
        float32 [N, H, W], from 0 to 1; all 0 where nothing speaks for the class.
    """
    import paddle

    network.eval()
    with paddle.no_grad():
        # The gradient goes no deeper than this
        last = network.features(paddle.to_tensor(inputs))[-1]  # [N, K, h, w]
    last.stop_gradient = False
    logits = network.forward_head(last)
    rows = paddle.arange(len(inputs))
    score = logits[rows, paddle.to_tensor(list(class_ids))].sum()
    (gradient,) = paddle.grad(score, [last])
    weights = gradient.mean(axis=(2, 3), keepdim=True)
    maps = paddle.nn.functional.relu((weights * last).sum(axis=1)).numpy()
    return np.stack([_sized(each, inputs.shape[2:]) for each in maps])


def occlusion_map(
    run: Run, inputs: np.ndarray, class_id: int, batch_size: int = 16
) -> np.ndarray:
    """Compute how much a class's score falls where a patch hides a part of the picture.

    It needs no gradient, so it suits any bundle and any backend. A pixel gets the mean fall of the log-odds over the
    patches that hide it. The patch has the picture's mean colour.

    Args:
        run: Gives probabilities [N, K] of pictures [N, C, H, W], such as a backend's `run`.
        inputs: A preprocessed picture, float32 [C, H, W].
        class_id: The class.
        batch_size: Pictures per call of `run`.

    Returns:
        float32 [H, W], from 0 to 1; all 0 where hiding parts costs the class nothing.
    """
    height, width = inputs.shape[1:]
    patch = max(round(_PATCH_SHARE * min(height, width)), 1)
    step = max(round((min(height, width) - patch) / (_POSITIONS - 1)), 1)
    corners = []
    for top in _starts(height, patch, step):
        for left in _starts(width, patch, step):
            corners.append((top, left))
    colour = inputs.mean(axis=(1, 2), keepdims=True)
    (before,) = _log_odds(run(inputs[np.newaxis])[:, class_id])
    falls = np.zeros((height, width))
    counts = np.zeros((height, width))
    for start in range(0, len(corners), batch_size):
        part = corners[start : start + batch_size]
        hidden = np.repeat(inputs[np.newaxis], len(part), axis=0)
        for picture, (top, left) in zip(hidden, part):
            picture[:, top : top + patch, left : left + patch] = colour
        after = _log_odds(run(hidden)[:, class_id])
        for (top, left), score in zip(part, after):
            place = np.s_[top : top + patch, left : left + patch]
            falls[place] += before - score
            counts[place] += 1
    return _to_one(np.maximum(falls / counts, 0))


def overlaid(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay a map over the picture that the network saw.

    Args:
        pixels: uint8 [H, W, 3] in RGB.
        heat: float [H, W], from 0 to 1.

    Returns:
        uint8 [H, W, 3] in RGB: the stronger the map, the less of the picture shows through.
    """
    levels = np.round(255 * heat).astype(np.uint8)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1]
    opacity = _OPACITY * heat[..., np.newaxis] ** 0.5
    grey = pixels.mean(axis=2, keepdims=True)
    # Half of the colours go, so that those of the map stand out
    ground = 0.5 * pixels + 0.5 * grey
    mixed = (1 - opacity) * ground + opacity * colours
    return np.round(mixed).clip(0, 255).astype(np.uint8)


def _starts(side: int, patch: int, step: int) -> list[int]:
    """Places of a patch along a side, of which the last one ends at its end."""
    last = side - patch
    return [*range(0, last, step), last]


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    """The logarithm of p / (1 - p), which also falls visibly where p is almost 1."""
    p = probabilities.astype(np.float64)
    return np.log(np.maximum(p, _LEAST)) - np.log(np.maximum(1 - p, _LEAST))


def _sized(heat: np.ndarray, size: Sequence[int]) -> np.ndarray:
    height, width = size
    return _to_one(cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR))


def _to_one(heat: np.ndarray) -> np.ndarray:
    """Scale a map so that its highest value is 1."""
    highest = heat.max()
    if highest <= 0:
        return np.zeros(heat.shape, np.float32)
    return (heat / highest).astype(np.float32)
