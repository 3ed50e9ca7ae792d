"""RandAugment as EfficientNetV2 and as MobileViTv2 were trained with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from PIL import Image

import ppcls.data.transforms.policy_operations as ops
from ppcls.data.transforms.auto_augment import Policy
from ppcls.data.transforms.base import TRANSFORMS, generator
from ppcls.data.transforms.erasing import cover_square
from ppcls.data.transforms.policy_operations import Scale, times, whole
from ppcls.utils.fields import NonNegativeFloat, PositiveInt, Range

_TOP_MAGNITUDE = 10
_Byte = Annotated[int, Range(low=0, high=255)]
_RGB = tuple[_Byte, _Byte, _Byte]

V2_SCALES: Mapping[str, Scale] = {
    "shearX": Scale(ops.shear_x, times(0.3), signed=True),
    "shearY": Scale(ops.shear_y, times(0.3), signed=True),
    "translateX": Scale(ops.translate_x, times(100.0), signed=True),
    "translateY": Scale(ops.translate_y, times(100.0), signed=True),
    "rotate": Scale(ops.rotate, times(30.0), signed=True),
    "color": Scale(ops.color, times(1.8), 0.1),
    "posterize": Scale(ops.posterize, whole(4)),
    "solarize": Scale(ops.solarize, whole(256)),
    "solarize_add": Scale(ops.solarize_add, whole(110)),
    "contrast": Scale(ops.contrast, times(1.8), 0.1),
    "sharpness": Scale(ops.sharpness, times(1.8), 0.1),
    "brightness": Scale(ops.brightness, times(1.8), 0.1),
    "autocontrast": Scale(ops.auto_contrast),
    "equalize": Scale(ops.equalize),
    "invert": Scale(ops.invert),
}
_V2_CUTOUT = 40  # half of the side of a square that covers, in pixels
V3_SCALES: Mapping[str, Scale] = {
    "shearX": Scale(ops.shear_x, times(0.3), signed=True),
    "shearY": Scale(ops.shear_y, times(0.3), signed=True),
    "translateX": Scale(ops.translate_x_share, times(150 / 331), signed=True),
    "translateY": Scale(ops.translate_y_share, times(150 / 331), signed=True),
    "rotate": Scale(ops.rotate, times(30.0), signed=True),
    "color": Scale(ops.color, times(0.9), 1.0, signed=True),
    "posterize": Scale(ops.posterize, lambda share: 8 - int(4 * share)),
    "solarize": Scale(ops.solarize, lambda share: 255 * (1 - share)),
    "contrast": Scale(ops.contrast, times(0.9), 1.0, signed=True),
    "sharpness": Scale(ops.sharpness, times(0.9), 1.0, signed=True),
    "brightness": Scale(ops.brightness, times(0.9), 1.0, signed=True),
    "autocontrast": Scale(ops.auto_contrast),
    "equalize": Scale(ops.equalize),
    "invert": Scale(ops.invert),
}
_RESAMPLES = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


@TRANSFORMS.register()
@dataclass(frozen=True)
class RandAugmentV2(Policy):
    """RandAugment with the 16 operations and ranges of EfficientNetV2's training (Tan & Le 2021).

    They are those of EfficientNet on TPUs: posterize and solarize change less the higher the magnitude, and color,
    contrast, sharpness and brightness leave the picture as it is at 5; translations are by 10 pixels a magnitude.

    Args:
        num_layers: how many operations; one may come more than once.
        magnitude: 10 is the end of the paper's ranges; EfficientNetV2 goes from 5 to 15.
        fillcolor: the colour that comes into the picture from outside of it; the first value covers squares.
    """

    num_layers: PositiveInt = 2
    magnitude: NonNegativeFloat = 5.0
    fillcolor: _RGB = (128, 128, 128)

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Uint8 [H, W, 3] in RGB to the same."""
        rng = generator(rng, "RandAugmentV2")
        outside = ops.Outside(_color(self.fillcolor), Image.Resampling.NEAREST)
        share = self.magnitude / _TOP_MAGNITUDE
        picture = Image.fromarray(image)
        names = [*V2_SCALES, "cutout"]
        for place in rng.integers(len(names), size=self.num_layers):
            name = names[place]
            if name == "cutout":
                picture = self._covered(picture, int(share * _V2_CUTOUT), rng)
            else:
                picture = V2_SCALES[name].changed(picture, share, outside, rng)
        return np.asarray(picture)

    def _covered(
        self, picture: Image.Image, reach: int, rng: np.random.Generator
    ) -> Image.Image:
        column = int(rng.integers(picture.width, endpoint=True))
        row = int(rng.integers(picture.height, endpoint=True))
        pixels = np.array(picture)
        cover_square(pixels, row - reach, column - reach, 2 * reach, self.fillcolor[0])
        return Image.fromarray(pixels)


@TRANSFORMS.register()
@dataclass(frozen=True)
class RandAugmentV3(Policy):
    """RandAugment with the 14 operations of MobileViTv2's training (Mehta & Rastegari 2022): more is more effect.

    Args:
        num_layers: how many operations; one may come more than once.
        magnitude: 0 (no effect of those operations that have a range) to 10 (the end of their range).
        fillcolor: the colour that comes into the picture from outside of it.
        interpolation: how a picture is moved.
    """

    num_layers: PositiveInt = 2
    magnitude: Annotated[float, Range(low=0, high=10)] = 3.0
    fillcolor: _RGB = (0, 0, 0)
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Uint8 [H, W, 3] in RGB to the same."""
        rng = generator(rng, "RandAugmentV3")
        outside = ops.Outside(_color(self.fillcolor), _RESAMPLES[self.interpolation])
        share = self.magnitude / _TOP_MAGNITUDE
        picture = Image.fromarray(image)
        scales = list(V3_SCALES.values())
        for place in rng.integers(len(scales), size=self.num_layers):
            picture = scales[place].changed(picture, share, outside, rng)
        return np.asarray(picture)


def _color(values: _RGB) -> _RGB:
    """A colour as Pillow takes it, which is no list."""
    red, green, blue = values
    return red, green, blue
