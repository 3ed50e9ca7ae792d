"""RandAugment as timm defines it, by a text such as `rand-m9-mstd0.5-inc1`."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

import ppcls.data.transforms.policy_operations as ops
from ppcls.data.transforms.auto_augment import Policy
from ppcls.data.transforms.base import TRANSFORMS, generator, set_field
from ppcls.data.transforms.policy_operations import Scale, down_from, times, whole
from ppcls.utils.fields import Fraction, require

_TOP_LEVEL = 10
_HOW_OFTEN = 0.5  # an operation that was chosen is applied


_GEOMETRY = {
    "Rotate": Scale(ops.rotate, times(30.0), signed=True),
    "ShearX": Scale(ops.shear_x, times(0.3), signed=True),
    "ShearY": Scale(ops.shear_y, times(0.3), signed=True),
    "TranslateXRel": Scale(ops.translate_x_share, times(0.45), signed=True),
    "TranslateYRel": Scale(ops.translate_y_share, times(0.45), signed=True),
}
_OF_BOTH = {
    "AutoContrast": Scale(ops.auto_contrast),
    "Equalize": Scale(ops.equalize),
    "Invert": Scale(ops.invert),
    "SolarizeAdd": Scale(ops.solarize_add, whole(110)),
    **_GEOMETRY,
}
SCALES = {
    **_OF_BOTH,
    # Of these the lower level changes more
    "Posterize": Scale(ops.posterize, whole(4)),
    "Solarize": Scale(ops.solarize, whole(256)),
    # The picture stays at level 5
    "Color": Scale(ops.color, times(1.8), 0.1),
    "Contrast": Scale(ops.contrast, times(1.8), 0.1),
    "Brightness": Scale(ops.brightness, times(1.8), 0.1),
    "Sharpness": Scale(ops.sharpness, times(1.8), 0.1),
}
"""The operations by name; which number belongs to a level is that of EfficientNet's training on TPUs."""
INCREASING_SCALES = {
    **_OF_BOTH,
    "Posterize": Scale(ops.posterize, down_from(4)),
    "Solarize": Scale(ops.solarize, down_from(256)),
    "Color": Scale(ops.color, times(0.9), 1.0, signed=True),
    "Contrast": Scale(ops.contrast, times(0.9), 1.0, signed=True),
    "Brightness": Scale(ops.brightness, times(0.9), 1.0, signed=True),
    "Sharpness": Scale(ops.sharpness, times(0.9), 1.0, signed=True),
}
"""The same operations where a higher level always changes more (`inc1`)."""

# How often each is chosen with `w0`; the others never are.
WEIGHTS = {
    "Rotate": 0.3,
    "ShearX": 0.2,
    "ShearY": 0.2,
    "TranslateXRel": 0.1,
    "TranslateYRel": 0.1,
    "Color": 0.025,
    "Sharpness": 0.025,
    "AutoContrast": 0.025,
    "Solarize": 0.005,
    "SolarizeAdd": 0.005,
    "Contrast": 0.005,
    "Brightness": 0.005,
    "Equalize": 0.005,
}

_SECTION = re.compile("([a-z]+)([0-9.]+)")
_NUMBERS = {
    "m": "[0-9]{1,9}",
    "n": "[0-9]{1,9}",
    "mstd": r"[0-9]{1,9}(\.[0-9]{1,9})?",
    # timm takes `inc0` for `inc1`
    "inc": "1",
    "w": "0",
}
_REMEDY = (
    "write rand, then m (magnitude), n (layers), mstd (deviation of the magnitude), inc1 (higher is stronger) or w0 "
    "(timm's weights), such as rand-m9-mstd0.5-inc1"
)
_RESAMPLES = {
    "bilinear": (Image.Resampling.BILINEAR,),
    "bicubic": (Image.Resampling.BICUBIC,),
    "random": (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC),
}


@dataclass(frozen=True)
class RandSettings:
    """What a text such as `rand-m9-n3-mstd0.5-inc1-w0` asks for.

    Attributes:
        magnitude: Level of all operations; above 10 it counts as 10.
        layers: How many operations are chosen.
        deviation: Standard deviation of the level, which is drawn around `magnitude` for each operation.
        is_increasing: Whether a higher level always changes more.
        is_weighted: Whether operations are chosen by `WEIGHTS`, each once at most.
    """

    magnitude: int = _TOP_LEVEL
    layers: int = 2
    deviation: float = 0.0
    is_increasing: bool = False
    is_weighted: bool = False

    @property
    def scales(self) -> dict[str, Scale]:
        """The operations to choose from."""
        return INCREASING_SCALES if self.is_increasing else SCALES


def rand_settings(text: str) -> RandSettings:
    """Read a text such as `rand-m9-mstd0.5-inc1`.

    Raises:
        ValueError: It is no such text; says what to write.
    """
    name, *sections = text.split("-")
    require(name == "rand", f"config_str is {text!r}; {_REMEDY}")
    given: dict[str, str] = {}
    for section in sections:
        key, number = _key_and_number(section)
        require(
            key != "" and key not in given,
            f"config_str is {text!r}, of which {section!r} is unknown or written twice; {_REMEDY}",
        )
        given[key] = number
    settings = RandSettings(
        int(given.get("m", _TOP_LEVEL)),
        int(given.get("n", 2)),
        float(given.get("mstd", 0)),
        "inc" in given,
        "w" in given,
    )
    most = len(WEIGHTS) if settings.is_weighted else settings.layers
    if not 1 <= settings.layers <= most:
        bounds = f"from 1 to {most}" if settings.is_weighted else "of at least 1"
        raise ValueError(f"config_str is {text!r}; write a number {bounds} after n")
    return settings


def _key_and_number(section: str) -> tuple[str, str]:
    """The key of a section and the number behind it; empty texts for what is no section."""
    found = _SECTION.fullmatch(section)
    if found is None:
        return "", ""
    key, number = found.groups()
    if re.fullmatch(_NUMBERS.get(key, ""), number) is None:
        return "", ""
    return key, number


@TRANSFORMS.register()
@dataclass(frozen=True)
class TimmAutoAugment(Policy):
    """RandAugment as timm defines it: operations chosen at random, each applied half of the time.

    The 15 operations and their ranges are those of EfficientNet's training on TPUs, with which Cubuk et al. 2019
    (RandAugment) is published; timm added `mstd` and `inc`.

    Args:
        prob: how often a picture is changed at all.
        config_str: `rand`, then sections in any order: `m9` the magnitude (10 if left out, and at most); `n2` how many
            operations; `mstd0.5` the standard deviation of the magnitude; `inc1` for operations that change more the
            higher the magnitude; `w0` for timm's weights, with which an operation is not chosen twice.
        interpolation: how a picture is moved: bilinear, bicubic, or `random`, one of these two for each operation.
        mean: the colour that comes into the picture from outside of it, as shares of 255.
    """

    prob: Fraction = 1.0
    config_str: str = "rand-m9-mstd0.5-inc1"
    interpolation: Literal["bilinear", "bicubic", "random"] = "bicubic"
    mean: tuple[Fraction, Fraction, Fraction] = (0.485, 0.456, 0.406)

    def __post_init__(self) -> None:
        super().__post_init__()
        set_field(self, "mean", tuple(self.mean))
        rand_settings(self.config_str)

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Uint8 [H, W, 3] in RGB to the same."""
        rng = generator(rng, "TimmAutoAugment")
        if rng.random() >= self.prob:
            return image
        picture = Image.fromarray(image)
        for name in self._chosen(rng):
            if rng.random() < _HOW_OFTEN:
                picture = self._changed(picture, self._settings.scales[name], rng)
        return np.asarray(picture)

    @functools.cached_property
    def _settings(self) -> RandSettings:
        return rand_settings(self.config_str)

    def _chosen(self, rng: np.random.Generator) -> list[str]:
        settings = self._settings
        if settings.is_weighted:
            weights = np.array(list(WEIGHTS.values()))
            names = list(WEIGHTS)
            order = rng.choice(
                len(names), settings.layers, replace=False, p=weights / weights.sum()
            )
        else:
            names = list(settings.scales)
            order = rng.integers(len(names), size=settings.layers)
        return [names[place] for place in order]

    def _changed(
        self, picture: Image.Image, scale: Scale, rng: np.random.Generator
    ) -> Image.Image:
        level: float = self._settings.magnitude
        if self._settings.deviation:
            level = rng.normal(level, self._settings.deviation)
        resamples = _RESAMPLES[self.interpolation]
        outside = ops.Outside(self._color, resamples[int(rng.integers(len(resamples)))])
        share = min(max(level, 0), _TOP_LEVEL) / _TOP_LEVEL
        return scale.changed(picture, share, outside, rng)

    @functools.cached_property
    def _color(self) -> tuple[int, int, int]:
        red, green, blue = (round(255 * share) for share in self.mean)
        return red, green, blue
