"""Taking the colours away at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ppcls.data.transforms.base import TRANSFORMS, Transform, generator
from ppcls.data.transforms.normalize import to_gray
from ppcls.utils.fields import Fraction


@TRANSFORMS.register()
@dataclass(frozen=True)
class RandomGrayscale(Transform):
    """Makes all channels the picture's luma (ITU-R BT.601) with probability `p`; a gray picture stays as it is.

    Args:
        p: how often.
    """

    p: Fraction = 0.1

    draws = True
    needs_rgb = True

    @property
    def needs_bytes(self) -> bool:
        """Luma is that of bytes."""
        return True

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Uint8 [H, W, 3] in RGB, or [H, W, 1], to the same."""
        if generator(rng, "RandomGrayscale").random() >= self.p:
            return image
        if image.shape[2] == 1:
            return image
        return to_gray(image, is_rgb=True).repeat(3, axis=2)
