"""Hiding random patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ppcls.data.transforms.base import TRANSFORMS, Transform, generator

PATCH_SIZES = (0, 16, 32, 44, 56)
_HOW_OFTEN = 0.5


@TRANSFORMS.register()
@dataclass(frozen=True)
class HideAndSeek(Transform):
    """Divides the picture into patches and sets half of them, drawn one by one, to 0 (Singh & Lee 2017, section 3.1).

    The side of the patches is drawn for every picture: 16, 32, 44 or 56 pixels, or none, which leaves it as it is.
    After NormalizeImage the value 0 is the mean colour, with which the paper hides.
    """

    draws = True

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The picture [H, W, C], or a copy of it with hidden patches."""
        rng = generator(rng, "HideAndSeek")
        side = PATCH_SIZES[int(rng.integers(len(PATCH_SIZES)))]
        if side == 0:
            return image
        height, width = image.shape[:2]
        shape = (-(-height // side), -(-width // side))  # rounded up
        is_hidden = rng.random(shape) < _HOW_OFTEN
        pixels = is_hidden.repeat(side, axis=0).repeat(side, axis=1)[:height, :width]
        hidden = image.copy(order="K")
        hidden[pixels] = 0
        return hidden
