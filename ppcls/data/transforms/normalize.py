"""Normalisation of pixel values to those that a model was trained with."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from ppcls.data.transforms.base import TRANSFORMS, Transform, set_field
from ppcls.utils.fields import PositiveFloat, require


@TRANSFORMS.register()
@dataclass(frozen=True)
class NormalizeImage(Transform):
    """`(picture * scale - mean) / std` in float32, a channel at a time.

    Args:
        scale: a number, or a fraction as text such as `1.0/255.0`.
        mean: one number per channel, in the order in which DecodeImage gives them: three, or one for gray pictures.
        std: the same.
        order: where the channels are: `hwc` or '' last, `chw` first, which is after `ToCHWImage`. PaddleClas takes
            `chw` where nothing is written and then fails on every picture that is not transposed yet; '' is meant.
        channel_num: 3, or 1 for gray pictures, and known without it. PaddleClas's 4 appends a channel of zeros, which
            no model here takes.
    """

    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[PositiveFloat, ...] = (0.229, 0.224, 0.225)
    order: Literal["", "hwc", "chw"] = ""
    channel_num: Literal[1, 3] = 3

    def __post_init__(self) -> None:
        set_field(self, "scale", _number(self.scale))
        set_field(self, "mean", _per_channel("mean", self.mean))
        set_field(self, "std", _per_channel("std", self.std))
        super().__post_init__()
        require(
            len(self.mean) == len(self.std),
            f"mean has {len(self.mean)} numbers and std {len(self.std)}; write one number per channel in both",
        )
        require(
            self.channel_num >= self.channels,
            f"channel_num is {self.channel_num}, but mean has {self.channels} numbers; leave it out",
        )
        set_field(self, "channel_num", self.channels)

    @property
    def channels(self) -> int:
        """How many channels a picture has."""
        return len(self.mean)

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Float32 of the same shape."""
        # Channels first in memory whatever the order, so that numpy works on whole planes (five times as fast) and
        # the transposition that follows costs nothing.
        if self.order == "chw":
            return self._arithmetic(image)
        return self._arithmetic(image.transpose(2, 0, 1)).transpose(1, 2, 0)

    def planes(self, image: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Float32 [C, H, W] of a picture [H, W, C]; values of uint8 are looked up, which gives the same bits.

        Args:
            image: the picture, whatever `order`.
            out: float32 [C, H, W] where the result may be put; left alone if it is of no use.
        """
        if image.dtype != np.uint8:
            return self._arithmetic(image.transpose(2, 0, 1))
        shape = (image.shape[2], *image.shape[:2])
        if out is None or out.shape != shape:
            out = np.empty(shape, np.float32)
        return self._looked_up(cv2.split(image), out)

    def looked_up(self, pixels: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Float32 of pixels uint8 [N, C, H, W], put into `out`: the same bits as `planes` gives."""
        for picture, planes in zip(pixels, out):
            self._looked_up(picture, planes)
        return out

    def _looked_up(self, picture: Iterable[np.ndarray], out: np.ndarray) -> np.ndarray:
        for plane, channel, table in zip(out, picture, self.tables):
            cv2.LUT(channel, table, dst=plane)
        return out

    @functools.cached_property
    def tables(self) -> np.ndarray:
        """The normalised 256 values of uint8, float32 [C, 256]."""
        values = np.arange(256, dtype=np.uint8)
        return self._arithmetic(np.broadcast_to(values, (self.channels, 1, 256)))[:, 0]

    def _arithmetic(self, planes: np.ndarray) -> np.ndarray:
        """Float32 of planes [C, H, W], contiguous."""
        result = planes.astype(np.float32, order="C")
        result *= np.float32(self.scale)
        result -= np.array(self.mean, np.float32).reshape(-1, 1, 1)
        result /= np.array(self.std, np.float32).reshape(-1, 1, 1)
        return result


def _per_channel(key: str, values: Any) -> tuple[float, ...]:
    numbers: tuple[float, ...] = ()
    # Lists, and numbers of hundreds of digits, are no numbers either
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        if isinstance(values, (list, tuple)):
            numbers = tuple(map(float, values))
    require(
        len(numbers) in (1, 3) and all(map(math.isfinite, numbers)),
        f"{key} is {values!r}; write three numbers, one per channel, or one for gray pictures",
    )
    return numbers


def _number(value: Any) -> float:
    """A number, or a fraction written as text; nothing is evaluated."""
    try:
        above, _, below = str(value).partition("/")
        number = float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        number = math.nan
    require(
        math.isfinite(number),
        f"scale is {value!r}; write a number, or a fraction such as 1.0/255.0",
    )
    return number


def to_gray(pixels: np.ndarray, is_rgb: bool) -> np.ndarray:
    """Luma, uint8 [H, W, 1], of a picture uint8 [H, W, 3] in RGB, or in BGR.

    It is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601) as OpenCV's `cvtColor` computes it, in integers; Pillow's
    `convert("L")` differs by one level at most. A gray picture keeps its values.
    """
    code = cv2.COLOR_RGB2GRAY if is_rgb else cv2.COLOR_BGR2GRAY
    return cv2.cvtColor(np.ascontiguousarray(pixels), code)[..., np.newaxis]


@TRANSFORMS.register()
@dataclass(frozen=True)
class ToCHWImage(Transform):
    """[H, W, C] to [C, H, W]. It stands at the end, and is done there as well if it is not written."""

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The transposed picture, contiguous."""
        return np.ascontiguousarray(image.transpose(2, 0, 1))
