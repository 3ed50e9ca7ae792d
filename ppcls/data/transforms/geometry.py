"""Resizing, cutting out, padding and mirroring: the transforms that change where pixels are, or how many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import cv2
import numpy as np

from ppcls.data.transforms.base import (
    TRANSFORMS,
    Box,
    Color,
    Transform,
    UnreadableImage,
    WidthHeight,
    checked_color,
    checked_size,
    cut,
    generator,
    pair,
    set_field,
    values_of,
)
from ppcls.data.transforms.resample import check_interpolation, resample, resample_part
from ppcls.utils.errors import expect
from ppcls.utils.fields import (
    Fraction,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Range,
    Size,
    require,
)


@dataclass(frozen=True)
class CentralCrop(Transform):
    """What `CropImage` and `CenterCrop` share."""

    size: Size = 224

    moves_pixels = True

    def __post_init__(self) -> None:
        super().__post_init__()
        set_field(self, "size", checked_size(self.size))

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The part of the picture, as a view.

        Raises:
            UserError: the picture is smaller than the part.
        """
        return cut(image, self.box(image.shape[1], image.shape[0]))

    def box(self, width: int, height: int) -> Box:
        """The part of a picture of `width` by `height` pixels; raises what cutting it out raises."""
        crop_width, crop_height = pair(self.size)
        expect(
            width >= crop_width and height >= crop_height,
            f"{type(self).__name__} cannot cut {crop_width}x{crop_height} pixels (width x height) out of a picture "
            f"of {width}x{height}; put ResizeImage with resize_short of at least {max(crop_width, crop_height)} "
            "before it",
        )
        return (
            self._margin(width - crop_width),
            self._margin(height - crop_height),
            crop_width,
            crop_height,
        )

    def _margin(self, spare: int) -> int:
        raise NotImplementedError

    def output_size(self, size: WidthHeight | None) -> WidthHeight | None:
        """Always `size`."""
        return pair(self.size)


@TRANSFORMS.register()
@dataclass(frozen=True)
class CropImage(CentralCrop):
    """Cuts out the centre as PaddleClas does: the left and the top margin are half of what is spare, rounded down.

    Args:
        size: one number for both sides, or [width, height].
    """

    def _margin(self, spare: int) -> int:
        return spare // 2


@TRANSFORMS.register()
@dataclass(frozen=True)
class CenterCrop(CentralCrop):
    """Cuts out the centre as torchvision does: half of what is spare, halves rounded to even.

    It differs from `CropImage` by one pixel where the spare pixels are 3, 7, 11, ...

    Args:
        size: one number for both sides, or [width, height].
    """

    def _margin(self, spare: int) -> int:
        return round(spare / 2)


@TRANSFORMS.register()
@dataclass(frozen=True)
class Pad(Transform):
    """Puts a border around the picture.

    Args:
        padding: its width in pixels.
        fill: its value, or one per channel; before NormalizeImage of bytes, 0 to 255.
        padding_mode: constant, the only one.
    """

    padding: NonNegativeInt
    fill: Color = 0
    padding_mode: Literal["constant"] = "constant"

    def __post_init__(self) -> None:
        super().__post_init__()
        set_field(self, "fill", checked_color("fill", self.fill))

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The larger picture [H, W, C] of the same type."""
        height, width, channels = image.shape
        fill = values_of(self.fill, channels)
        side = self.padding
        padded = cv2.copyMakeBorder(
            image, side, side, side, side, cv2.BORDER_CONSTANT, value=fill
        )
        # OpenCV leaves out the axis of a single channel
        return padded.reshape(height + 2 * side, width + 2 * side, channels)

    def output_size(self, size: WidthHeight | None) -> WidthHeight | None:
        """Two borders more on each axis."""
        if size is None:
            return None
        return size[0] + 2 * self.padding, size[1] + 2 * self.padding


LARGEST = 2**24
"""Pixels of the largest picture that a smaller one is resized to."""

# Up to which all of it is resized; a side is 64 times the other where the shorter one has 256
_WHOLE = 2**22


@TRANSFORMS.register()
@dataclass(frozen=True)
class ResizeImage(Transform):
    """Resizes to `size`, or keeps the aspect and gives the shorter side `resize_short` pixels.

    With `resize_short` both sides are multiplied by `resize_short / min(width, height)` and rounded to the nearest
    integer, halves to even, as PaddleClas does (torchvision rounds the longer side down).

    Args:
        resize_short: pixels of the shorter side.
        size: one number for both sides, or [width, height].
        interpolation: with cv2 nearest, bilinear, area, bicubic or lanczos; with pil nearest, bilinear, bicubic, box,
            hamming or lanczos. Bilinear in both where PaddleClas, left without a word, takes bicubic for pil.
        backend: cv2 or pil. Pillow smooths when it shrinks, OpenCV (except for area) does not.
    """

    resize_short: PositiveInt | None = None
    size: Size | None = None
    interpolation: str = "bilinear"
    backend: Literal["cv2", "pil"] = "cv2"

    bytes_remedy = "write it before, or backend: cv2"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_interpolation(self.interpolation, self.backend)
        require(
            (self.resize_short is None) != (self.size is None),
            "exactly one of resize_short and size is needed; write resize_short: 256 or size: 224",
        )
        if self.size is not None:
            set_field(self, "size", checked_size(self.size))

    @property
    def needs_bytes(self) -> bool:
        """Pillow resizes pictures of uint8 only."""
        return self.backend == "pil"

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The resized picture.

        Raises:
            UnreadableImage: it would be out of proportion, as a line of 1x8000 pixels is.
        """
        height, width = image.shape[:2]
        target = self._target(width, height)
        if target[0] * target[1] > max(LARGEST, width * height):
            raise UnreadableImage(
                f"of {width}x{height} pixels ResizeImage would make {target[0]}x{target[1]}; crop the picture to less "
                "unequal sides"
            )
        return resample(image, *target, self.interpolation, self.backend)

    def cropped(self, image: np.ndarray, crop: CentralCrop) -> np.ndarray:
        """`crop(self(image))`, where possible without the rest of a large result."""
        width, height = self._target(image.shape[1], image.shape[0])
        if width * height > _WHOLE:
            part = resample_part(
                image,
                width,
                height,
                self.interpolation,
                self.backend,
                crop.box(width, height),
            )
            if part is not None:
                return part
        return crop(self(image))

    def _target(self, width: int, height: int) -> WidthHeight:
        if self.resize_short is None:
            assert self.size is not None
            return pair(self.size)
        factor = self.resize_short / min(width, height)
        return round(width * factor), round(height * factor)

    def output_size(self, size: WidthHeight | None) -> WidthHeight | None:
        """Known if `size` is a field, or if the input's size is known."""
        if self.size is not None:
            return pair(self.size)
        return None if size is None else self._target(*size)


_RANDOM_INTERPOLATIONS = ("bilinear", "bicubic")


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
            drawn = generator(rng, "RandCropImage").integers(
                len(_RANDOM_INTERPOLATIONS)
            )
            interpolation = _RANDOM_INTERPOLATIONS[int(drawn)]
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


@TRANSFORMS.register()
@dataclass(frozen=True)
class RandFlipImage(Transform):
    """Mirrors the picture with probability `prob`.

    Args:
        flip_code: OpenCV's: 1 left and right, 0 top and bottom, -1 both.
        prob: how often.
    """

    flip_code: Literal[1, 0, -1] = 1
    prob: Fraction = 0.5

    draws = True
    moves_pixels = True

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The picture itself, or its mirror image."""
        if generator(rng, "RandFlipImage").random() >= self.prob:
            return image
        # OpenCV leaves out the axis of a single channel
        return cv2.flip(image, self.flip_code).reshape(image.shape)
