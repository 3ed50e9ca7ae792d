"""Brightness, contrast, saturation and hue changed at random."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from PIL import Image, ImageEnhance

from ppcls.data.transforms.base import TRANSFORMS, Transform, generator
from ppcls.utils.fields import Fraction, NonNegativeFloat, Range

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
