"""Pillow's operations on a picture by one number, the strength: what AutoAugment and RandAugment are made of.

Their ranges are those of Cubuk et al. 2018, table 6. A strength of 0 leaves the picture as it is, 1 is the end of the
range; operations in `SIGNED` work in two directions and take -1 to 1. Those without a range take any strength.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image, ImageEnhance, ImageOps

GRAY = (128, 128, 128)
"""What comes into the picture from outside of it."""

_SHEAR = 0.3
_TRANSLATE = 150 / 331  # of the side: the paper's 150 pixels, of pictures of 331
_ROTATE = 30.0  # degrees
_ENHANCE = 0.9
_BITS = 4


def _affine(image: Image.Image, matrix: tuple[float, ...]) -> Image.Image:
    return image.transform(
        image.size,
        Image.Transform.AFFINE,
        matrix,
        resample=Image.Resampling.NEAREST,
        fillcolor=GRAY,
    )


def _shear_x(image: Image.Image, strength: float) -> Image.Image:
    return _affine(image, (1, _SHEAR * strength, 0, 0, 1, 0))


def _shear_y(image: Image.Image, strength: float) -> Image.Image:
    return _affine(image, (1, 0, 0, _SHEAR * strength, 1, 0))


def _translate_x(image: Image.Image, strength: float) -> Image.Image:
    return _affine(image, (1, 0, round(_TRANSLATE * strength * image.width), 0, 1, 0))


def _translate_y(image: Image.Image, strength: float) -> Image.Image:
    return _affine(image, (1, 0, 0, 0, 1, round(_TRANSLATE * strength * image.height)))


def _rotate(image: Image.Image, strength: float) -> Image.Image:
    return image.rotate(
        _ROTATE * strength, resample=Image.Resampling.NEAREST, fillcolor=GRAY
    )


def _posterize(image: Image.Image, strength: float) -> Image.Image:
    return ImageOps.posterize(image, 8 - round(_BITS * strength))


def _solarize(image: Image.Image, strength: float) -> Image.Image:
    return ImageOps.solarize(image, round(256 * (1 - strength)))


def _enhance(
    kind: Callable[[Image.Image], Any],
) -> Callable[[Image.Image, float], Image.Image]:
    return lambda image, strength: kind(image).enhance(1 + _ENHANCE * strength)


OPERATIONS: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "Identity": lambda image, strength: image,
    "AutoContrast": lambda image, strength: ImageOps.autocontrast(image),
    "Equalize": lambda image, strength: ImageOps.equalize(image),
    "Invert": lambda image, strength: ImageOps.invert(image),
    "Posterize": _posterize,
    "Solarize": _solarize,
    "Color": _enhance(ImageEnhance.Color),
    "Contrast": _enhance(ImageEnhance.Contrast),
    "Brightness": _enhance(ImageEnhance.Brightness),
    "Sharpness": _enhance(ImageEnhance.Sharpness),
    "ShearX": _shear_x,
    "ShearY": _shear_y,
    "TranslateX": _translate_x,
    "TranslateY": _translate_y,
    "Rotate": _rotate,
}
"""By the papers' names: (RGB picture, strength) to a picture of the same size."""

SIGNED = frozenset(
    (
        "Color",
        "Contrast",
        "Brightness",
        "Sharpness",
        "ShearX",
        "ShearY",
        "TranslateX",
        "TranslateY",
        "Rotate",
    )
)
"""The operations that work in two directions."""
