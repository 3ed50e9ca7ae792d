"""Policies that apply a few operations of `operations` to a picture: AutoAugment and RandAugment."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from PIL import Image

from ppcls.data.transforms.base import TRANSFORMS, Transform, generator
from ppcls.data.transforms.operations import OPERATIONS, SIGNED
from ppcls.utils.fields import PositiveInt, Range

_Step = tuple[str, float, int]  # operation, probability, level from 0 to 9

# Cubuk et al. 2018, table 9: found on ImageNet.
IMAGENET_POLICY: tuple[tuple[_Step, _Step], ...] = (
    (("Posterize", 0.4, 8), ("Rotate", 0.6, 9)),
    (("Solarize", 0.6, 5), ("AutoContrast", 0.6, 5)),
    (("Equalize", 0.8, 8), ("Equalize", 0.6, 3)),
    (("Posterize", 0.6, 7), ("Posterize", 0.6, 6)),
    (("Equalize", 0.4, 7), ("Solarize", 0.2, 4)),
    (("Equalize", 0.4, 4), ("Rotate", 0.8, 8)),
    (("Solarize", 0.6, 3), ("Equalize", 0.6, 7)),
    (("Posterize", 0.8, 5), ("Equalize", 1.0, 2)),
    (("Rotate", 0.2, 3), ("Solarize", 0.6, 8)),
    (("Equalize", 0.6, 8), ("Posterize", 0.4, 6)),
    (("Rotate", 0.8, 8), ("Color", 0.4, 0)),
    (("Rotate", 0.4, 9), ("Equalize", 0.6, 2)),
    (("Equalize", 0.0, 7), ("Equalize", 0.8, 8)),
    (("Invert", 0.6, 4), ("Equalize", 1.0, 8)),
    (("Color", 0.6, 4), ("Contrast", 1.0, 8)),
    (("Rotate", 0.8, 8), ("Color", 1.0, 2)),
    (("Color", 0.8, 8), ("Solarize", 0.8, 7)),
    (("Sharpness", 0.4, 7), ("Invert", 0.6, 8)),
    (("ShearX", 0.6, 5), ("Equalize", 1.0, 9)),
    (("Color", 0.4, 0), ("Equalize", 0.6, 3)),
    (("Equalize", 0.4, 7), ("Solarize", 0.2, 4)),
    (("Solarize", 0.6, 5), ("AutoContrast", 0.6, 5)),
    (("Invert", 0.6, 4), ("Equalize", 1.0, 8)),
    (("Color", 0.6, 4), ("Contrast", 1.0, 8)),
    (("Equalize", 0.8, 8), ("Equalize", 0.6, 3)),
)
_TOP_LEVEL = 9

# Cubuk et al. 2019, section 3: each has the same probability.
RAND_AUGMENT_OPERATIONS = (
    "Identity", "AutoContrast", "Equalize", "Rotate", "Solarize", "Color", "Posterize", "Contrast", "Brightness",
    "Sharpness", "ShearX", "ShearY", "TranslateX", "TranslateY",
)  # fmt: skip
_TOP_MAGNITUDE = 10


@dataclass(frozen=True)
class Policy(Transform):
    """What transforms share that apply Pillow's operations to pictures in RGB."""

    draws = True
    needs_rgb = True

    @property
    def needs_colors(self) -> bool:
        """Some operations change colours."""
        return True

    @property
    def needs_bytes(self) -> bool:
        """Pillow's operations are for uint8."""
        return True


@dataclass(frozen=True)
class _StrengthPolicy(Policy):
    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Uint8 [H, W, 3] in RGB to the same."""
        rng = generator(rng, type(self).__name__)
        picture = Image.fromarray(image)
        for name, strength in self._drawn(rng):
            sign = -1 if name in SIGNED and rng.random() < 0.5 else 1
            picture = OPERATIONS[name](picture, sign * strength)
        return np.asarray(picture)

    def _drawn(self, rng: np.random.Generator) -> Iterable[tuple[str, float]]:
        """Names of operations, each with a strength from 0 to 1."""
        raise NotImplementedError


@TRANSFORMS.register()
@dataclass(frozen=True)
class AutoAugment(_StrengthPolicy):
    """One of the 25 sub-policies found on ImageNet (Cubuk et al. 2018, table 9), each with the same probability.

    A sub-policy is two operations in a row, each with its probability and level. Levels 0 to 9 divide an operation's
    range evenly, from no effect to the strongest; the direction, where there are two, is drawn.
    """

    def _drawn(self, rng: np.random.Generator) -> Iterable[tuple[str, float]]:
        steps = IMAGENET_POLICY[rng.integers(len(IMAGENET_POLICY))]
        for name, probability, level in steps:
            if rng.random() < probability:
                yield name, level / _TOP_LEVEL


@TRANSFORMS.register()
@dataclass(frozen=True)
class RandAugment(_StrengthPolicy):
    """Operations drawn one after another, all of one magnitude (Cubuk et al. 2019, section 3).

    The 14 operations are the paper's. More magnitude is always more effect; PaddleClas's posterize and solarize get
    weaker as it grows.

    Args:
        num_layers: how many operations; one may come more than once.
        magnitude: 0 (no effect of those operations that have a range) to 10 (the end of their range).
    """

    num_layers: PositiveInt = 2
    magnitude: Annotated[float, Range(low=0, high=10)] = 5.0

    def _drawn(self, rng: np.random.Generator) -> Iterable[tuple[str, float]]:
        for _ in range(self.num_layers):
            name = RAND_AUGMENT_OPERATIONS[rng.integers(len(RAND_AUGMENT_OPERATIONS))]
            yield name, self.magnitude / _TOP_MAGNITUDE
