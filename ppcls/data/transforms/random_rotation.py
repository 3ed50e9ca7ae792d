"""Turning by a random angle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from ppcls.data.transforms.base import (
    TRANSFORMS,
    Color,
    Transform,
    WidthHeight,
    checked_color,
    generator,
    set_field,
    values_of,
)
from ppcls.utils.fields import Fraction, require

_METHODS = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}


@TRANSFORMS.register()
@dataclass(frozen=True)
class RandomRotation(Transform):
    """Turns the picture counter-clockwise by an angle that is uniform in a range.

    Args:
        degrees: smallest and largest angle, or one number d for -d to d.
        interpolation: nearest, bilinear, bicubic or lanczos, by OpenCV.
        expand: whether the result is large enough for the whole picture; else it has the picture's size.
        center: [x, y] in pixels that it turns around; null for the centre, from which PaddleClas is half a pixel away.
        fill: the value that comes in from outside, or one per channel.
        prob: how often.
    """

    degrees: float | tuple[float, float]
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "nearest"
    expand: bool = False
    center: tuple[float, float] | None = None
    fill: Color = 0
    prob: Fraction = 0.5

    draws = True

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self._range
        require(
            low <= high,
            f"degrees is {self.degrees!r}; write a number of at least 0, or [smallest, largest]",
        )
        if self.expand and self.center is not None:
            raise ValueError(
                "center is set beside expand, which turns around the centre; leave one of the two out"
            )
        set_field(self, "fill", checked_color("fill", self.fill))
        for name in ("degrees", "center"):
            value = getattr(self, name)
            if isinstance(value, list):
                set_field(self, name, tuple(value))

    @property
    def _range(self) -> tuple[float, float]:
        if isinstance(self.degrees, (int, float)):
            return -self.degrees, self.degrees
        low, high = self.degrees
        return low, high

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The picture itself, or the turned one [H, W, C] of the same type."""
        rng = generator(rng, "RandomRotation")
        if rng.random() >= self.prob:
            return image
        return self.turned(image, rng.uniform(*self._range))

    def turned(self, image: np.ndarray, angle: float) -> np.ndarray:
        """The picture turned by an angle in degrees."""
        height, width, channels = image.shape
        # Of pixels, whose centres OpenCV counts from 0
        middle = ((width - 1) / 2, (height - 1) / 2)
        matrix = cv2.getRotationMatrix2D(self.center or middle, angle, 1.0)
        size = (width, height)
        if self.expand:
            size = _around(width, height, angle)
            matrix[:, 2] += np.subtract(size, (width, height)) / 2
        turned = cv2.warpAffine(
            image,
            matrix,
            size,
            flags=_METHODS[self.interpolation],
            borderValue=values_of(self.fill, channels),
        )
        # OpenCV leaves out the axis of a single channel
        return turned.reshape(size[1], size[0], channels)

    def output_size(self, size: WidthHeight | None) -> WidthHeight | None:
        """That of the picture, unless `expand` makes it depend on the angle."""
        return None if self.expand else size


def _around(width: int, height: int, angle: float) -> WidthHeight:
    """(width, height) of the upright box around a turned picture."""
    cosine = abs(math.cos(math.radians(angle)))
    sine = abs(math.sin(math.radians(angle)))
    # A right angle's cosine is 6e-17, which is no pixel
    new_width = math.ceil(width * cosine + height * sine - 1e-6)
    new_height = math.ceil(width * sine + height * cosine - 1e-6)
    return new_width, new_height
