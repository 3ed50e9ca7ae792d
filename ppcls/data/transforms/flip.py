"""Mirroring at random."""

from dataclasses import dataclass

import cv2
import numpy as np

from ppcls.data.transforms.base import TRANSFORMS, Transform, generator, one_of
from ppcls.utils.fields import Fraction


@TRANSFORMS.register()
@dataclass(frozen=True)
class RandFlipImage(Transform):
    """Mirrors the picture with probability `prob`.

    Args:
        flip_code: OpenCV's: 1 left and right, 0 top and bottom, -1 both.
        prob: how often.
    """

    flip_code: int = 1
    prob: Fraction = 0.5

    draws = True
    moves_pixels = True

    def __post_init__(self) -> None:
        one_of("flip_code", self.flip_code, (1, 0, -1))
        if not 0 <= self.prob <= 1:
            raise ValueError(f"prob is {self.prob}; write a number from 0 to 1")

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The picture itself, or its mirror image."""
        if generator(rng, "RandFlipImage").random() >= self.prob:
            return image
        # OpenCV leaves out the axis of a single channel
        return cv2.flip(image, self.flip_code).reshape(image.shape)
