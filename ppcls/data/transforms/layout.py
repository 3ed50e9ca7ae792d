"""The order of a picture's axes."""

from dataclasses import dataclass

import numpy as np

from ppcls.data.transforms.base import TRANSFORMS, Transform


@TRANSFORMS.register()
@dataclass(frozen=True)
class ToCHWImage(Transform):
    """[H, W, C] to [C, H, W]. It stands at the end, and is done there as well if it is not written."""

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The transposed picture, contiguous."""
        return np.ascontiguousarray(image.transpose(2, 0, 1))
