"""Blurring at random."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ppcls.data.transforms.base import TRANSFORMS, Transform, generator, set_field
from ppcls.utils.fields import Fraction, PositiveFloat, PositiveInt, require


@TRANSFORMS.register()
@dataclass(frozen=True)
class GaussianBlur(Transform):
    """Blurs the picture by a Gaussian of random width.

    The defaults are SimCLR's for 224 pixels (Chen et al. 2020, appendix A).

    Args:
        kernel_size: side of the kernel in pixels, an odd number.
        sigma: smallest and largest standard deviation in pixels, between which it is uniform.
        p: how often.
    """

    kernel_size: PositiveInt = 23
    sigma: tuple[PositiveFloat, PositiveFloat] = (0.1, 2.0)
    p: Fraction = 0.5

    draws = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.kernel_size % 2 != 0,
            f"kernel_size is {self.kernel_size}; write an odd number of pixels",
        )
        require(
            self.sigma[0] <= self.sigma[1],
            f"sigma is {list(self.sigma)}; write [smallest, largest]",
        )
        set_field(self, "sigma", tuple(self.sigma))

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The picture itself, or the blurred one; beyond its border it is mirrored."""
        rng = generator(rng, "GaussianBlur")
        if rng.random() >= self.p:
            return image
        sigma = rng.uniform(*self.sigma)
        size = (self.kernel_size, self.kernel_size)
        blurred = cv2.GaussianBlur(
            image, size, sigma, borderType=cv2.BORDER_REFLECT_101
        )
        # OpenCV leaves out the axis of a single channel
        return blurred.reshape(image.shape)
