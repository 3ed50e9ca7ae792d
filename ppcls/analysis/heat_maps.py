"""Heat maps of the parts of a picture that speak for a class: Grad-CAM for networks, occlusion for any scores.

Sources: Selvaraju et al. 2017, Grad-CAM, arXiv:1610.02391, section 3; Zeiler and Fergus 2014, Visualizing and
Understanding Convolutional Networks, arXiv:1311.2901, section 4.2 (occlusion).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from ppcls.data.transforms import NormalizeImage, Pipeline, ToCHWImage

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
    occlusion = Occlusion(inputs, class_id, run(inputs[np.newaxis])[0])
    for patches in occlusion.batches(batch_size):
        occlusion.add(patches, run(occlusion.hidden(patches)))
    return occlusion.heat()


class Occlusion:
    """An occlusion map in steps, for callers that run the model in their own way; see `occlusion_map`.

    Args:
        inputs: A preprocessed picture, float32 [C, H, W].
        class_id: The class.
        probabilities: Those of the whole picture, [K].
    """

    def __init__(
        self, inputs: np.ndarray, class_id: int, probabilities: np.ndarray
    ) -> None:
        self._inputs = inputs
        self._class_id = class_id
        self._before = _log_odds(probabilities[class_id])
        self._colour = inputs.mean(axis=(1, 2), keepdims=True)
        height, width = inputs.shape[1:]
        patch = max(round(_PATCH_SHARE * min(height, width)), 1)
        step = max(round((min(height, width) - patch) / (_POSITIONS - 1)), 1)
        self._places = []
        for top in _starts(height, patch, step):
            for left in _starts(width, patch, step):
                self._places.append(np.s_[top : top + patch, left : left + patch])
        self._falls = np.zeros((height, width))
        self._counts = np.zeros((height, width))

    def batches(self, size: int) -> Iterator[range]:
        """Give the numbers of all patches in parts of at most `size`."""
        count = len(self._places)
        for start in range(0, count, size):
            yield range(start, min(start + size, count))

    def hidden(self, patches: range) -> np.ndarray:
        """Return the picture under each of these patches, float32 [N, C, H, W]."""
        pictures = np.repeat(self._inputs[np.newaxis], len(patches), axis=0)
        for picture, patch in zip(pictures, patches):
            rows, columns = self._places[patch]
            picture[:, rows, columns] = self._colour
        return pictures

    def add(self, patches: range, probabilities: np.ndarray) -> None:
        """Take the probabilities, [N, K], of what `hidden` gave for these patches."""
        after = _log_odds(probabilities[:, self._class_id])
        for patch, score in zip(patches, after):
            self._falls[self._places[patch]] += self._before - score
            self._counts[self._places[patch]] += 1

    def heat(self) -> np.ndarray:
        """Return the map, float32 [H, W], once all patches have been added."""
        return _to_one(np.maximum(self._falls / self._counts, 0))


def seen_by(pipeline: Pipeline, content: bytes) -> np.ndarray:
    """Return a picture as the network gets it, without the normalisation.

    Args:
        pipeline: The transforms of the model.
        content: The bytes of a picture file.

    Returns:
        uint8 [H, W, 3] in RGB.

    Raises:
        UnreadableImage: The picture cannot be read.
    """
    skipped = (NormalizeImage, ToCHWImage)
    before = Pipeline([op for op in pipeline.ops if not isinstance(op, skipped)])
    planes = before(content)  # float32 [C, H, W], from 0 to 255
    pixels = planes.round().clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
    if before.color == "GRAY":
        pixels = pixels.repeat(3, axis=2)
    if before.color == "BGR":
        pixels = pixels[..., ::-1]
    return np.ascontiguousarray(pixels)


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
