"""Mirroring at random."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from ppcls.data.transforms.base import TRANSFORMS, Transform, generator
from ppcls.utils.fields import Fraction


@TRANSFORMS.register()
@dataclass(frozen=True)
class RandFlipImage(Transform):
    """Mirrors the picture with probability `prob`.

    Args:
        flip_code: OpenCV's: 1 left and right, 0 top and bottom, -1 both.
        prob: how often.
    """

    flip_code: Literal[1, 0, -1] = 1
    prob: Fraction = 0.5

    draws = True
    moves_pixels = True

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The picture itself, or its mirror image."""
        if generator(rng, "RandFlipImage").random() >= self.prob:
            return image
        # OpenCV leaves out the axis of a single channel
        return cv2.flip(image, self.flip_code).reshape(image.shape)
