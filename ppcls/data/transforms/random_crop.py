"""Cutting out a random part."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from ppcls.data.transforms.base import (
    TRANSFORMS,
    Box,
    Transform,
    WidthHeight,
    checked_size,
    cut,
    generator,
    pair,
    set_field,
)
from ppcls.data.transforms.resample import check_interpolation, resample
from ppcls.utils.fields import PositiveFloat, Range, Size, require

_RANDOM = ("bilinear", "bicubic")


@TRANSFORMS.register()
@dataclass(frozen=True)
class RandCropImage(Transform):
    """Cuts out a random part of random area and aspect (Szegedy et al. 2015, section 6) and resizes it to `size`.

    Args:
        size: one number for both sides, or [width, height].
        scale: smallest and largest area of the part, as fractions of the picture's.
        ratio: smallest and largest width / height of the part.
        interpolation: see `ResizeImage`; or `random`, bilinear or bicubic for each picture.
        backend: cv2 or pil.
        sampling: how the part is drawn. `paddleclas`: aspect uniform in `ratio`, area uniform in `scale` after both
            bounds are lowered to what fits. `torchvision`: aspect log-uniform, ten tries, then the centre.
        use_log_aspect: with sampling `paddleclas`, aspect log-uniform in `ratio` as well: as likely wide as high.
    """

    size: Size = 224
    scale: tuple[
        Annotated[float, Range(above=0, high=1)],
        Annotated[float, Range(above=0, high=1)],
    ] = (0.08, 1.0)
    ratio: tuple[PositiveFloat, PositiveFloat] = (3 / 4, 4 / 3)
    interpolation: str = "bilinear"
    backend: Literal["cv2", "pil"] = "cv2"
    sampling: Literal["paddleclas", "torchvision"] = "paddleclas"
    use_log_aspect: bool = False

    draws = True
    bytes_remedy = "write it before, or backend: cv2"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.interpolation != "random":
            check_interpolation(self.interpolation, self.backend)
        set_field(self, "size", checked_size(self.size))
        set_field(self, "scale", _interval("scale", self.scale))
        set_field(self, "ratio", _interval("ratio", self.ratio))
        if self.use_log_aspect and self.sampling == "torchvision":
            raise ValueError(
                "use_log_aspect is set beside sampling: torchvision, which always draws so; leave it out"
            )

    @property
    def needs_bytes(self) -> bool:
        """Pillow resizes pictures of uint8 only."""
        return self.backend == "pil"

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The part, resized."""
        height, width = image.shape[:2]
        return self.resized(cut(image, self.box(width, height, rng)), rng)

    def box(self, width: int, height: int, rng: np.random.Generator | None) -> Box:
        """The part to cut out of a picture of `width` by `height` pixels."""
        rng = generator(rng, "RandCropImage")
        if self.sampling == "torchvision":
            return torchvision_box(width, height, self.scale, self.ratio, rng)
        return paddleclas_box(
            width, height, self.scale, self.ratio, rng, self.use_log_aspect
        )

    def resized(
        self, part: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """What was cut out, at `size`."""
        interpolation = self.interpolation
        if interpolation == "random":
            drawn = generator(rng, "RandCropImage").integers(len(_RANDOM))
            interpolation = _RANDOM[int(drawn)]
        return resample(part, *pair(self.size), interpolation, self.backend)

    def output_size(self, size: WidthHeight | None) -> WidthHeight | None:
        """Always `size`."""
        return pair(self.size)


def paddleclas_box(
    width: int,
    height: int,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    rng: np.random.Generator,
    use_log_aspect: bool = False,
) -> Box:
    """A box as PaddleClas draws it: one draw, clamped to what fits."""
    if use_log_aspect:
        aspect = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
    else:
        aspect = rng.uniform(*ratio)
    # Of a square's width; its height shrinks by the same factor
    stretch = math.sqrt(aspect)
    # Area that fits at this aspect
    largest = min(width / height / stretch**2, height / width * stretch**2)
    area = width * height * rng.uniform(min(scale[0], largest), min(scale[1], largest))
    box_width = _within(int(math.sqrt(area) * stretch), width)
    box_height = _within(int(math.sqrt(area) / stretch), height)
    left = int(rng.integers(width - box_width, endpoint=True))
    top = int(rng.integers(height - box_height, endpoint=True))
    return left, top, box_width, box_height


def torchvision_box(
    width: int,
    height: int,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    rng: np.random.Generator,
) -> Box:
    """A box as torchvision's RandomResizedCrop draws it: ten tries, then the largest central one of a legal aspect."""
    for _ in range(10):
        area = width * height * rng.uniform(*scale)
        aspect = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        box_width = round(math.sqrt(area * aspect))
        box_height = round(math.sqrt(area / aspect))
        if 0 < box_width <= width and 0 < box_height <= height:
            top = int(rng.integers(height - box_height, endpoint=True))
            left = int(rng.integers(width - box_width, endpoint=True))
            return left, top, box_width, box_height
    aspect = min(max(width / height, ratio[0]), ratio[1])
    box_width = _within(round(height * aspect), width)
    box_height = _within(round(width / aspect), height)
    return (width - box_width) // 2, (height - box_height) // 2, box_width, box_height


def _within(value: int, limit: int) -> int:
    return min(max(value, 1), limit)


def _interval(key: str, bounds: Sequence[float]) -> tuple[float, float]:
    smallest, largest = bounds
    require(smallest <= largest, f"{key} is {list(bounds)}; write [smallest, largest]")
    return float(smallest), float(largest)
