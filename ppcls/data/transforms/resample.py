"""Resizing by OpenCV or Pillow. The two differ by more than noise, so the backend belongs to the weights."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from ppcls.data.transforms.base import Box, cut, one_of

INTERPOLATIONS: dict[str, dict[str, int]] = {
    "cv2": {
        "nearest": cv2.INTER_NEAREST,
        "bilinear": cv2.INTER_LINEAR,
        "area": cv2.INTER_AREA,
        "bicubic": cv2.INTER_CUBIC,
        "lanczos": cv2.INTER_LANCZOS4,
    },
    "pil": {
        "nearest": Image.Resampling.NEAREST,
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
        "box": Image.Resampling.BOX,
        "hamming": Image.Resampling.HAMMING,
        "lanczos": Image.Resampling.LANCZOS,
    },
}


def check_interpolation(interpolation: str, backend: str) -> None:
    """Raises a ValueError that names the choices unless `backend` knows `interpolation`."""
    one_of("backend", backend, tuple(INTERPOLATIONS))
    if interpolation not in INTERPOLATIONS[backend]:
        known = ", ".join(INTERPOLATIONS[backend])
        raise ValueError(
            f"interpolation is {interpolation!r}; with backend {backend} write one of: {known}"
        )


def resample(
    image: np.ndarray, width: int, height: int, interpolation: str, backend: str
) -> np.ndarray:
    """The picture [H, W, C] of one or three channels at another size. Pillow takes uint8 only."""
    method = INTERPOLATIONS[backend][interpolation]
    if backend == "cv2":
        resized = _resized_by_opencv(image, width, height, method)
    else:
        picture = Image.fromarray(image[..., 0] if image.shape[2:] == (1,) else image)
        resized = np.asarray(picture.resize((width, height), Image.Resampling(method)))
    # Both leave out the axis of a single channel
    return resized.reshape(height, width, *image.shape[2:])


def _resized_by_opencv(
    image: np.ndarray, width: int, height: int, method: int
) -> np.ndarray:
    try:
        return cv2.resize(image, (width, height), interpolation=method)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from error
        raise


# Rows or columns of the whole result, beyond which `nearest` is not asked where each is from
_PROBED = 2**24
_PILLOW_BITS = 22  # of a weight's fraction
_OPENCV_BITS = 11


@dataclass(frozen=True)
class _Taps:
    """What some rows of a result are made of.

    Attributes:
        places: Rows of the picture, int64 [rows, taps].
        weights: Their weights in whole numbers, int64 [rows, taps].
    """

    places: np.ndarray
    weights: np.ndarray


def resample_part(
    image: np.ndarray,
    width: int,
    height: int,
    interpolation: str,
    backend: str,
    box: Box,
) -> np.ndarray | None:
    """The part `box` of the picture uint8 [H, W, 3] at another size: the pixels of `cut(resample(...), box)`.

    Returns:
        None where they cannot be had without the rest: where a side shrinks, in OpenCV's bicubic and lanczos, and where
        this version of a library calculates otherwise.
    """
    if image.dtype != np.uint8 or width < image.shape[1] or height < image.shape[0]:
        return None
    if interpolation == "nearest":
        return _nearest(image, width, height, backend, box)
    if not _is_known(interpolation, backend):
        return None
    return _PARTS[backend](image, width, height, interpolation, box)


def _nearest(
    image: np.ndarray, width: int, height: int, backend: str, box: Box
) -> np.ndarray | None:
    if max(width, height) > _PROBED:
        return None
    left, top, box_width, box_height = box
    rows = _origins(image.shape[0], height, backend)[top : top + box_height]
    columns = _origins(image.shape[1], width, backend)[left : left + box_width]
    return image[rows[:, None], columns]


def _origins(length: int, target: int, backend: str) -> np.ndarray:
    """Which row of a picture each row of the result is, found by resizing the numbers of the rows."""
    numbers = np.arange(length, dtype=np.int32)[:, None]
    if backend == "pil":
        return resample(numbers, 1, target, "nearest", backend)[:, 0]
    copied = resample(numbers.view(np.float32), 1, target, "nearest", backend)
    return copied.view(np.int32).reshape(-1)


def _part_by_pillow(
    image: np.ndarray, width: int, height: int, interpolation: str, box: Box
) -> np.ndarray:
    """Pillow rounds to whole numbers after the rows and again after the columns."""
    left, top, box_width, box_height = box
    across = _pillow_taps(image.shape[1], width, left, box_width, interpolation)
    down = _pillow_taps(image.shape[0], height, top, box_height, interpolation)
    rows, places = _rows_used(image, down)
    narrow = _pillow_sum(rows.transpose(1, 0, 2), across).transpose(1, 0, 2)
    return np.ascontiguousarray(_pillow_sum(narrow, _Taps(places, down.weights)))


def _rows_used(image: np.ndarray, taps: _Taps) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the picture that have a weight, and the places of the taps among them."""
    first = int(taps.places.min())
    return image[first : int(taps.places.max()) + 1], taps.places - first


def _pillow_sum(image: np.ndarray, taps: _Taps) -> np.ndarray:
    total = np.full(
        (len(taps.places), *image.shape[1:]), 1 << (_PILLOW_BITS - 1), np.int64
    )
    for place, weight in zip(taps.places.T, taps.weights.T):
        total += image[place] * weight[:, None, None]
    return (total >> _PILLOW_BITS).clip(0, 255).astype(np.uint8)


def _pillow_taps(
    length: int, target: int, first: int, count: int, interpolation: str
) -> _Taps:
    """The taps of `count` rows from `first` on, of `target` rows made of `length`.

    A filter is centred on the row's place in the picture. Its weights are normalised to a sum of 1, and then rounded.
    """
    reach, weigh = _FILTERS[interpolation]
    scale = length / target
    places = np.zeros((count, 2 * math.ceil(reach) + 1), np.int64)
    weights = np.zeros(places.shape, np.int64)
    for row in range(count):
        centre = (first + row + 0.5) * scale
        low = max(int(centre - reach + 0.5), 0)
        high = min(int(centre + reach + 0.5), length)
        values = [weigh(place - centre + 0.5) for place in range(low, high)]
        total = 0.0
        # In this order, unlike `sum`, which compensates for rounding since Python 3.12
        for value in values:
            total += value
        for tap, value in enumerate(values):
            part = (value / total if total else value) * (1 << _PILLOW_BITS)
            places[row, tap] = low + tap
            weights[row, tap] = int(part - 0.5) if part < 0 else int(part + 0.5)
        places[row, len(values) :] = low
    return _Taps(places, weights)


def _box(x: float) -> float:
    return 1.0 if -0.5 < x <= 0.5 else 0.0


def _triangle(x: float) -> float:
    return max(1.0 - abs(x), 0.0)


def _hamming(x: float) -> float:
    x = abs(x)
    if x == 0.0:
        return 1.0
    if x >= 1.0:
        return 0.0
    x *= math.pi
    return math.sin(x) / x * (0.54 + 0.46 * math.cos(x))


def _cubic(x: float) -> float:
    a = -0.5
    x = abs(x)
    if x < 1.0:
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    if x < 2.0:
        return (((x - 5) * x + 8) * x - 4) * a
    return 0.0


def _sinc(x: float) -> float:
    if x == 0.0:
        return 1.0
    return math.sin(x * math.pi) / (x * math.pi)


def _lanczos(x: float) -> float:
    return _sinc(x) * _sinc(x / 3) if -3.0 <= x < 3.0 else 0.0


_FILTERS: dict[str, tuple[float, Callable[[float], float]]] = {
    "box": (0.5, _box),
    "bilinear": (1.0, _triangle),
    "hamming": (1.0, _hamming),
    "bicubic": (2.0, _cubic),
    "lanczos": (3.0, _lanczos),
}
"""Pillow's filters: how far they reach, and their weight at a distance."""


def _part_by_opencv(
    image: np.ndarray, width: int, height: int, interpolation: str, box: Box
) -> np.ndarray:
    """OpenCV keeps four bits of a row's fraction for the columns, and rounds their halves up at the end."""
    left, top, box_width, box_height = box
    across = _opencv_taps(image.shape[1], width, left, box_width, interpolation)
    at_end = (across.places[:, 1] >= image.shape[1]) | (across.places[:, 0] < 0)
    # Columns beyond an end are that end, rows are weighed all the same
    across.weights[at_end] = (1 << _OPENCV_BITS, 0)
    down = _opencv_taps(image.shape[0], height, top, box_height, interpolation)
    rows, places = _rows_used(
        image, _Taps(down.places.clip(0, image.shape[0] - 1), down.weights)
    )
    columns = across.places.clip(0, image.shape[1] - 1)
    wide = rows.astype(np.int32)
    narrow = (
        wide[:, columns[:, 0]] * across.weights[:, 0, None]
        + wide[:, columns[:, 1]] * across.weights[:, 1, None]
    )
    narrow >>= 4
    upper = (narrow[places[:, 0]] * down.weights[:, 0, None, None]) >> 16
    lower = (narrow[places[:, 1]] * down.weights[:, 1, None, None]) >> 16
    return ((upper + lower + 2) >> 2).clip(0, 255).astype(np.uint8)


def _opencv_taps(
    length: int, target: int, first: int, count: int, interpolation: str
) -> _Taps:
    """The two taps of each row, which may lie beyond the ends; the fraction is in single precision."""
    rows = np.arange(first, first + count, dtype=np.float64)
    growth = target / length
    if interpolation == "area":
        low = np.floor(rows * (1.0 / growth)).astype(np.int64)
        beyond = ((rows + 1) - (low + 1) * growth).astype(np.float32)
        fraction = np.where(beyond <= 0, np.float32(0), beyond - np.floor(beyond))
    else:
        place = ((rows + 0.5) * (1.0 / growth) - 0.5).astype(np.float32)
        low = np.floor(place).astype(np.int64)
        fraction = place - low.astype(np.float32)
    one = np.float32(1 << _OPENCV_BITS)
    weights = np.rint(np.stack([(1 - fraction) * one, fraction * one], axis=1)).astype(
        np.int64
    )
    return _Taps(np.stack([low, low + 1], axis=1), weights)


_PARTS = {"pil": _part_by_pillow, "cv2": _part_by_opencv}


# Pictures to compare the calculations on: width, height, and the factor to resize them by
_TRIALS = (
    (1, 3000, 9.7),
    (3, 1100, 7.31),
    (37, 41, 5.5),
    (1500, 2, 3.125),
    (30, 30, 1.0),
)


@functools.cache
def _is_known(interpolation: str, backend: str) -> bool:
    """Whether the installed library calculates as is done here: versions and processors may differ."""
    if backend == "cv2" and interpolation not in ("bilinear", "area"):
        return False
    random = np.random.default_rng(0)
    for width, height, factor in _TRIALS:
        image = random.integers(0, 256, (height, width, 3), np.uint8)
        target = round(width * factor), round(height * factor)
        whole = resample(image, *target, interpolation, backend)
        left, top = target[0] // 3, target[1] // 2
        at_the_end = (left, top, target[0] - left, target[1] - top)
        at_the_start = (0, 0, target[0], min(target[1], 99))
        for box in (at_the_end, at_the_start):
            part = _PARTS[backend](image, *target, interpolation, box)
            if not np.array_equal(part, cut(whole, box)):
                return False
    return True
