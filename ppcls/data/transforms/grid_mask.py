"""Removing a grid from a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ppcls.data.transforms.base import TRANSFORMS, Transform, generator
from ppcls.utils.checked_fields import require
from ppcls.utils.fields import Fraction, PositiveInt


@TRANSFORMS.register()
@dataclass(frozen=True)
class GridMask(Transform):
    """Sets a grid of stripes, or the squares between them, to 0 (Chen et al. 2020, section 3).

    After NormalizeImage the value 0 is the mean colour. `prob` is the same in every epoch, while the paper raises it
    over the training. PaddleClas means to do so too, but its count of epochs stays 0, and so every picture as it is.

    Args:
        d1: smallest distance in pixels from one stripe to the next, which is drawn for every picture.
        d2: the distance stays below this.
        rotate: the grid is turned by whole degrees, drawn from 0 to below this; 1 is never.
        ratio: width of a stripe as a share of the distance.
        mode: 0 removes the stripes, so that squares stay; 1 removes these squares and leaves the stripes, as the
            paper does.
        prob: how often.
    """

    d1: PositiveInt = 96
    d2: PositiveInt = 224
    rotate: PositiveInt = 1
    ratio: Fraction = 0.5
    mode: Literal[0, 1] = 0
    prob: Fraction = 1.0

    draws = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.d1 < self.d2,
            f"d1 is {self.d1} and d2 {self.d2}; write two distances, the smaller one as d1",
        )

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The picture [H, W, C], or a copy of it without the grid."""
        rng = generator(rng, "GridMask")
        if rng.random() >= self.prob:
            return image
        distance = int(rng.integers(self.d1, self.d2))
        shift = rng.integers(distance, size=2)
        angle = math.radians(int(rng.integers(self.rotate)))
        height, width = image.shape[:2]
        on_stripes = stripes(
            height, width, distance, self.width_of(distance), shift, angle
        )
        removed = on_stripes if self.mode == 0 else ~on_stripes
        kept = image.copy(order="K")
        kept[removed] = 0
        return kept

    def width_of(self, distance: int) -> int:
        """Width of a stripe in pixels."""
        return int(distance * self.ratio + 0.5)


def stripes(
    height: int,
    width: int,
    distance: int,
    thickness: int,
    shift: np.ndarray,
    angle: float,
) -> np.ndarray:
    """Whether each pixel lies on a stripe of the grid, bool [H, W].

    Args:
        height: Rows of the picture.
        width: Columns of the picture.
        distance: From one stripe to the next, in pixels.
        thickness: Pixels of a stripe.
        shift: Down and to the right, of the grid whose first stripes begin at 0.
        angle: How the grid is turned around the picture's centre, in radians.
    """
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    if angle:
        middle, centre = (height - 1) / 2, (width - 1) / 2
        down, right = rows - middle, columns - centre
        cosine, sine = math.cos(angle), math.sin(angle)
        rows = np.rint(middle + cosine * down - sine * right)
        columns = np.rint(centre + sine * down + cosine * right)
    on_rows = (rows - shift[0]) % distance < thickness
    on_columns = (columns - shift[1]) % distance < thickness
    return on_rows | on_columns
