"""A border around the picture."""

from __future__ import annotations

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
    set_field,
    values_of,
)
from ppcls.utils.fields import NonNegativeInt


@TRANSFORMS.register()
@dataclass(frozen=True)
class Pad(Transform):
    """Puts a border around the picture.

    Args:
        padding: its width in pixels.
        fill: its value, or one per channel; before NormalizeImage of bytes, 0 to 255.
        padding_mode: constant, the only one.
    """

    padding: NonNegativeInt
    fill: Color = 0
    padding_mode: Literal["constant"] = "constant"

    def __post_init__(self) -> None:
        super().__post_init__()
        set_field(self, "fill", checked_color("fill", self.fill))

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The larger picture [H, W, C] of the same type."""
        height, width, channels = image.shape
        fill = values_of(self.fill, channels)
        side = self.padding
        padded = cv2.copyMakeBorder(
            image, side, side, side, side, cv2.BORDER_CONSTANT, value=fill
        )
        # OpenCV leaves out the axis of a single channel
        return padded.reshape(height + 2 * side, width + 2 * side, channels)

    def output_size(self, size: WidthHeight | None) -> WidthHeight | None:
        """Two borders more on each axis."""
        if size is None:
            return None
        return size[0] + 2 * self.padding, size[1] + 2 * self.padding
