"""Pillow's operations, each by its own number: degrees, pixels, bits, a factor.

A `Scale` says which number belongs to a magnitude: `TimmAutoAugment` and the variants of RandAugment are tables of
these. An operation without a range takes any number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

_HALF = 128


@dataclass(frozen=True)
class Outside:
    """What a picture that is moved gets from outside of it.

    Attributes:
        color: Red, green and blue, 0 to 255.
        resample: Pillow's filter for places between pixels.
    """

    color: tuple[int, int, int]
    resample: Image.Resampling


Operation = Callable[[Image.Image, float, Outside], Image.Image]


class Scale(NamedTuple):
    """How an operation's number follows from a magnitude.

    Attributes:
        operation: What is done to the picture.
        reach: The number at a magnitude, which is given as a share of 10.
        base: What is added to it.
        signed: Whether `reach` is negated half of the time.
    """

    operation: Operation
    reach: Callable[[float], float] = float
    base: float = 0.0
    signed: bool = False

    def changed(
        self,
        image: Image.Image,
        share: float,
        outside: Outside,
        rng: np.random.Generator,
    ) -> Image.Image:
        """Apply the operation; the direction, where there are two, is drawn."""
        number = self.reach(share)
        if self.signed and rng.random() < 0.5:
            number = -number
        return self.operation(image, self.base + number, outside)


def times(factor: float) -> Callable[[float], float]:
    """The number that grows evenly from 0 to `factor`."""
    return lambda share: share * factor


def whole(factor: int) -> Callable[[float], float]:
    """The same in whole numbers, rounded down."""
    return lambda share: int(share * factor)


def down_from(top: int) -> Callable[[float], float]:
    """The whole number that falls from `top` to 0."""
    return lambda share: top - int(share * top)


def _affine(
    image: Image.Image, matrix: tuple[float, ...], outside: Outside
) -> Image.Image:
    return image.transform(
        image.size,
        Image.Transform.AFFINE,
        matrix,
        resample=outside.resample,
        fillcolor=outside.color,
    )


def _by_table(image: Image.Image, table: list[int]) -> Image.Image:
    return image.point(table * len(image.getbands()))


def shear_x(image: Image.Image, factor: float, outside: Outside) -> Image.Image:
    """Column x + factor * y comes to (x, y)."""
    return _affine(image, (1, factor, 0, 0, 1, 0), outside)


def shear_y(image: Image.Image, factor: float, outside: Outside) -> Image.Image:
    """Row y + factor * x comes to (x, y)."""
    return _affine(image, (1, 0, 0, factor, 1, 0), outside)


def translate_x(image: Image.Image, pixels: float, outside: Outside) -> Image.Image:
    """Column x + pixels comes to x."""
    return _affine(image, (1, 0, pixels, 0, 1, 0), outside)


def translate_y(image: Image.Image, pixels: float, outside: Outside) -> Image.Image:
    """Row y + pixels comes to y."""
    return _affine(image, (1, 0, 0, 0, 1, pixels), outside)


def translate_x_share(
    image: Image.Image, share: float, outside: Outside
) -> Image.Image:
    """As `translate_x`, by a share of the width."""
    return translate_x(image, share * image.width, outside)


def translate_y_share(
    image: Image.Image, share: float, outside: Outside
) -> Image.Image:
    """As `translate_y`, by a share of the height."""
    return translate_y(image, share * image.height, outside)


def rotate(image: Image.Image, degrees: float, outside: Outside) -> Image.Image:
    """Turn counter-clockwise around the centre."""
    return image.rotate(degrees, resample=outside.resample, fillcolor=outside.color)


def posterize(image: Image.Image, bits: float, outside: Outside) -> Image.Image:
    """Keep the highest `bits` of each value, a whole number; 0 gives a black picture, which newer Pillows refuse."""
    if bits >= 8:
        return image
    kept = 256 - 2 ** (8 - int(bits))
    return _by_table(image, [value & kept for value in range(256)])


def solarize(image: Image.Image, threshold: float, outside: Outside) -> Image.Image:
    """Invert the values from `threshold` on."""
    return ImageOps.solarize(image, threshold)  # type: ignore[arg-type]


def solarize_add(image: Image.Image, added: float, outside: Outside) -> Image.Image:
    """Add to the values below 128, up to 255."""
    table = [min(value + int(added), 255) for value in range(_HALF)]
    table += range(_HALF, 256)
    return _by_table(image, table)


def auto_contrast(image: Image.Image, number: float, outside: Outside) -> Image.Image:
    """Stretch each channel to 0 to 255."""
    return ImageOps.autocontrast(image)


def equalize(image: Image.Image, number: float, outside: Outside) -> Image.Image:
    """Flatten the histogram of each channel."""
    return ImageOps.equalize(image)


def invert(image: Image.Image, number: float, outside: Outside) -> Image.Image:
    """Make every value v to 255 - v."""
    return ImageOps.invert(image)


def color(image: Image.Image, factor: float, outside: Outside) -> Image.Image:
    """Go from the gray picture (0) over this one (1) away from it."""
    return ImageEnhance.Color(image).enhance(factor)


def contrast(image: Image.Image, factor: float, outside: Outside) -> Image.Image:
    """Go from the mean gray (0) over this picture (1) away from it."""
    return ImageEnhance.Contrast(image).enhance(factor)


def brightness(image: Image.Image, factor: float, outside: Outside) -> Image.Image:
    """Multiply every value."""
    return ImageEnhance.Brightness(image).enhance(factor)


def sharpness(image: Image.Image, factor: float, outside: Outside) -> Image.Image:
    """Go from the smoothed picture (0) over this one (1) away from it."""
    return ImageEnhance.Sharpness(image).enhance(factor)
