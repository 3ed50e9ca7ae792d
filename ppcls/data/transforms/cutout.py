"""Covering random squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ppcls.data.transforms.base import (
    TRANSFORMS,
    Color,
    Transform,
    checked_color,
    generator,
    set_field,
    values_of,
)
from ppcls.utils.fields import PositiveInt


@TRANSFORMS.register()
@dataclass(frozen=True)
class Cutout(Transform):
    """Covers squares whose centres are drawn anywhere, so that the border may cut them (DeVries & Taylor 2017).

    After NormalizeImage the value 0 is the mean colour, with which the paper covers. PaddleClas covers only where
    `fill_value` is none, with squares that are a pixel larger, and else fails.

    Args:
        n_holes: how many squares.
        length: their side in pixels.
        fill_value: one value per channel; `none` or null for a colour of bytes that is drawn for each square, which is
            for pictures before NormalizeImage.
    """

    n_holes: PositiveInt = 1
    length: PositiveInt = 112
    fill_value: Color | Literal["none"] | None = (0.0, 0.0, 0.0)

    draws = True

    def __post_init__(self) -> None:
        super().__post_init__()
        color = self.fill_value
        if color == "none":
            set_field(self, "fill_value", None)
        elif color is not None:
            set_field(self, "fill_value", checked_color("fill_value", color))

    @property
    def needs_bytes(self) -> bool:
        """A colour that is drawn is one of bytes."""
        return self.fill_value is None

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """A copy of the picture [H, W, C] with covered squares."""
        rng = generator(rng, "Cutout")
        height, width, channels = image.shape
        covered = image.copy(order="K")
        for _ in range(self.n_holes):
            row, column = int(rng.integers(height)), int(rng.integers(width))
            color = self._color(channels, rng)
            if image.dtype == np.uint8:
                color = np.rint(color).clip(0, 255)
            half = self.length // 2
            cover_square(covered, row - half, column - half, self.length, color)
        return covered

    def _color(self, channels: int, rng: np.random.Generator) -> np.ndarray:
        fill = self.fill_value
        if fill is None or isinstance(fill, str):
            return rng.integers(256, size=(channels,))
        return np.array(values_of(fill, channels), np.float64)


def cover_square(
    pixels: np.ndarray,
    top: int,
    left: int,
    side: int,
    color: int | np.ndarray,
) -> None:
    """Cover a square, in place, as far as it lies in the picture [H, W, C]."""
    rows = slice(max(top, 0), max(top + side, 0))
    columns = slice(max(left, 0), max(left + side, 0))
    pixels[rows, columns] = color
