"""Colours and sharpness changed at random: the transforms that leave every pixel where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from PIL import Image, ImageEnhance

from ppcls.data.transforms.base import TRANSFORMS, Transform, generator, set_field
from ppcls.data.transforms.normalize import to_gray
from ppcls.utils.fields import (
    Fraction,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Range,
    require,
)

_FACTORS = {
    "brightness": ImageEnhance.Brightness,
    "contrast": ImageEnhance.Contrast,
    "saturation": ImageEnhance.Color,
}
_HUES = 255  # steps in which Pillow's HSV goes once around; its hue 255 is 0 again


@TRANSFORMS.register()
@dataclass(frozen=True)
class ColorJitter(Transform):
    """Changes brightness, contrast, saturation and hue, in an order that is drawn.

    Args:
        brightness: the factor is uniform in [max(0, 1 - brightness), 1 + brightness]; 0 is black.
        contrast: the same; 0 is the picture's mean gray.
        saturation: the same; 0 is the gray picture.
        hue: the part of the colour circle to turn by is uniform in [-hue, hue].
        p: how often the picture is changed at all.
    """

    brightness: NonNegativeFloat = 0.0
    contrast: NonNegativeFloat = 0.0
    saturation: NonNegativeFloat = 0.0
    hue: Annotated[float, Range(low=0, high=0.5)] = 0.0
    p: Fraction = 1.0

    draws = True
    needs_rgb = True
    colors_remedy = "write saturation: 0 and hue: 0"

    @property
    def needs_colors(self) -> bool:
        """Gray pictures have no saturation and no hue."""
        return self.saturation > 0 or self.hue > 0

    @property
    def needs_bytes(self) -> bool:
        """Pillow's operations are for uint8."""
        return True

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Uint8 [H, W, 3] in RGB, or [H, W, 1], to the same."""
        rng = generator(rng, "ColorJitter")
        if rng.random() >= self.p:
            return image
        is_gray = image.shape[2] == 1
        picture = Image.fromarray(image[..., 0] if is_gray else image)
        for key in rng.permutation([*_FACTORS, "hue"]):
            reach = getattr(self, key)
            if key == "hue":
                picture = turn_hue(picture, rng.uniform(-reach, reach))
            elif reach:
                factor = rng.uniform(max(0, 1 - reach), 1 + reach)
                picture = _FACTORS[key](picture).enhance(factor)
        return np.asarray(picture).reshape(image.shape)


def turn_hue(picture: Image.Image, turn: float) -> Image.Image:
    """The picture with its hues moved along the circle: a third of it makes red green, green blue, and blue red."""
    steps = round(turn * _HUES)
    if steps == 0:
        return picture  # not even rounded, as going to HSV and back would
    hue, saturation, value = picture.convert("HSV").split()
    hue = hue.point([(old + steps) % _HUES for old in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


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
