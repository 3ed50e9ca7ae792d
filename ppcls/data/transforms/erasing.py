"""Covering a random part of a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from ppcls.data.transforms.base import (
    TRANSFORMS,
    Color,
    Transform,
    checked_color,
    generator,
    set_field,
    values_of,
)
from ppcls.utils.errors import expect
from ppcls.utils.fields import Fraction, PositiveInt, Range, require

Box = tuple[int, int, int, int]  # left, top, width, height

_LARGEST = float(np.finfo(np.float32).max)


@TRANSFORMS.register()
@dataclass(frozen=True)
class RandomErasing(Transform):
    """Covers a random box (Zhong et al. 2017, algorithm 1).

    It may stand before or after NormalizeImage, and takes the values of the picture that it finds there.

    Args:
        EPSILON: how often.
        sl: smallest area of the box, as a fraction of the picture's.
        sh: its largest area.
        r1: smallest height / width of the box; the largest is 1 / r1.
        mean: what `const` covers with: one value for each channel, or one for all.
        attempt: how many boxes are drawn until one fits; after that the picture stays.
        use_log_aspect: height / width log-uniform, as likely high as wide; else uniform, more often high.
        mode: `const`: one colour, `mean`. `rand`: one colour, drawn. `pixel`: every value drawn. Values are drawn
            uniformly from 0 to 255 before NormalizeImage, and from the standard normal distribution after it.
    """

    EPSILON: Fraction = 0.5
    sl: Annotated[float, Range(above=0, high=1)] = 0.02
    sh: Annotated[float, Range(above=0, high=1)] = 0.4
    r1: Annotated[float, Range(above=0, high=1)] = 0.3
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    attempt: PositiveInt = 100
    use_log_aspect: bool = False
    mode: Literal["const", "rand", "pixel"] = "const"

    draws = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.sl <= self.sh,
            f"sl is {self.sl} and sh {self.sh}; write two areas, the smaller one as sl",
        )
        set_field(self, "mean", tuple(self.mean))
        are_numbers = all(-_LARGEST <= value <= _LARGEST for value in self.mean)
        require(
            len(self.mean) in (1, 3) and are_numbers,
            f"mean is {list(self.mean)}; write one number per channel, or one for all",
        )

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The picture [H, W, C], uint8 or float32, or a copy of it with a covered box.

        Raises:
            UserError: `mean` is not a colour of bytes, but the picture holds bytes.
        """
        rng = generator(rng, "RandomErasing")
        is_bytes = image.dtype == np.uint8
        if is_bytes and self.mode == "const":
            self._check_mean_of_bytes()
        if rng.random() >= self.EPSILON:
            return image
        box = self.box(image.shape[1], image.shape[0], rng)
        if box is None:
            return image
        left, top, width, height = box
        # Keeps the planes that NormalizeImage made, which are needed at the end
        covered = image.copy(order="K")
        covered[top : top + height, left : left + width] = self._cover(
            (height, width, image.shape[2]), is_bytes, rng
        )
        return covered

    def box(self, width: int, height: int, rng: np.random.Generator) -> Box | None:
        """The first box drawn that fits into a picture of `width` and `height`; None if none of `attempt` did."""
        for _ in range(self.attempt):
            area = width * height * rng.uniform(self.sl, self.sh)
            if self.use_log_aspect:
                aspect = math.exp(rng.uniform(math.log(self.r1), -math.log(self.r1)))
            else:
                aspect = rng.uniform(self.r1, 1 / self.r1)
            box_width = round(math.sqrt(area / aspect))
            box_height = round(math.sqrt(area * aspect))
            if 0 < box_width <= width and 0 < box_height <= height:
                left = int(rng.integers(width - box_width, endpoint=True))
                top = int(rng.integers(height - box_height, endpoint=True))
                return left, top, box_width, box_height
        return None

    def _check_mean_of_bytes(self) -> None:
        expect(
            min(self.mean) >= 0 and max(self.mean) <= 255,
            f"mean of RandomErasing is {list(self.mean)}, but it stands before NormalizeImage, where values are 0 "
            "to 255; write such values, or RandomErasing after it",
        )

    def _cover(
        self, box: tuple[int, int, int], is_bytes: bool, rng: np.random.Generator
    ) -> Any:
        """Values for a box of (height, width, channels)."""
        channels = box[2]
        if self.mode == "const":
            has_color = len(self.mean) in (1, channels)
            color = self.mean if has_color else self.mean[:1]
            return np.rint(color) if is_bytes else color
        shape = box if self.mode == "pixel" else (channels,)
        if is_bytes:
            return rng.integers(256, size=shape, dtype=np.uint8)
        return rng.standard_normal(shape, np.float32)


@TRANSFORMS.register()
@dataclass(frozen=True)
class Cutout(Transform):
    """Covers squares whose centres are drawn anywhere, so that the border may cut them (DeVries & Taylor 2017).

    After NormalizeImage the value 0 is the mean colour, with which the paper covers. PaddleClas covers only where
    `fill_value` is none, with squares that are a pixel larger, and else fails.

    Args:
        n_holes: how many squares.
        length: their side in pixels.
        fill_value: one value per channel; `none` or null for a colour of bytes that is drawn for each square, which is
            for pictures before NormalizeImage.
    """

    n_holes: PositiveInt = 1
    length: PositiveInt = 112
    fill_value: Color | Literal["none"] | None = (0.0, 0.0, 0.0)

    draws = True

    def __post_init__(self) -> None:
        super().__post_init__()
        color = self.fill_value
        if color == "none":
            set_field(self, "fill_value", None)
        elif color is not None:
            set_field(self, "fill_value", checked_color("fill_value", color))

    @property
    def needs_bytes(self) -> bool:
        """A colour that is drawn is one of bytes."""
        return self.fill_value is None

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """A copy of the picture [H, W, C] with covered squares."""
        rng = generator(rng, "Cutout")
        height, width, channels = image.shape
        covered = image.copy(order="K")
        for _ in range(self.n_holes):
            row, column = int(rng.integers(height)), int(rng.integers(width))
            color = self._color(channels, rng)
            if image.dtype == np.uint8:
                color = np.rint(color).clip(0, 255)
            half = self.length // 2
            cover_square(covered, row - half, column - half, self.length, color)
        return covered

    def _color(self, channels: int, rng: np.random.Generator) -> np.ndarray:
        fill = self.fill_value
        if fill is None or isinstance(fill, str):
            return rng.integers(256, size=(channels,))
        return np.array(values_of(fill, channels), np.float64)


def cover_square(
    pixels: np.ndarray,
    top: int,
    left: int,
    side: int,
    color: int | np.ndarray,
) -> None:
    """Cover a square, in place, as far as it lies in the picture [H, W, C]."""
    rows = slice(max(top, 0), max(top + side, 0))
    columns = slice(max(left, 0), max(left + side, 0))
    pixels[rows, columns] = color


@TRANSFORMS.register()
@dataclass(frozen=True)
class GridMask(Transform):
    """Sets a grid of stripes, or the squares between them, to 0 (Chen et al. 2020, section 3).

    After NormalizeImage the value 0 is the mean colour. `prob` is the same in every epoch, while the paper raises it
    over the training. PaddleClas means to do so too, but its count of epochs stays 0, and so every picture as it is.

    Args:
        d1: smallest distance in pixels from one stripe to the next, which is drawn for every picture.
        d2: the distance stays below this.
        rotate: the grid is turned by whole degrees, drawn from 0 to below this; 1 is never.
        ratio: width of a stripe as a share of the distance.
        mode: 0 removes the stripes, so that squares stay; 1 removes these squares and leaves the stripes, as the
            paper does.
        prob: how often.
    """

    d1: PositiveInt = 96
    d2: PositiveInt = 224
    rotate: PositiveInt = 1
    ratio: Fraction = 0.5
    mode: Literal[0, 1] = 0
    prob: Fraction = 1.0

    draws = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.d1 < self.d2,
            f"d1 is {self.d1} and d2 {self.d2}; write two distances, the smaller one as d1",
        )

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The picture [H, W, C], or a copy of it without the grid."""
        rng = generator(rng, "GridMask")
        if rng.random() >= self.prob:
            return image
        distance = int(rng.integers(self.d1, self.d2))
        shift = rng.integers(distance, size=2)
        angle = math.radians(int(rng.integers(self.rotate)))
        height, width = image.shape[:2]
        on_stripes = stripes(
            height, width, distance, self.width_of(distance), shift, angle
        )
        removed = on_stripes if self.mode == 0 else ~on_stripes
        kept = image.copy(order="K")
        kept[removed] = 0
        return kept

    def width_of(self, distance: int) -> int:
        """Width of a stripe in pixels."""
        return int(distance * self.ratio + 0.5)


def stripes(
    height: int,
    width: int,
    distance: int,
    thickness: int,
    shift: np.ndarray,
    angle: float,
) -> np.ndarray:
    """Whether each pixel lies on a stripe of the grid, bool [H, W].

    Args:
        height: Rows of the picture.
        width: Columns of the picture.
        distance: From one stripe to the next, in pixels.
        thickness: Pixels of a stripe.
        shift: Down and to the right, of the grid whose first stripes begin at 0.
        angle: How the grid is turned around the picture's centre, in radians.
    """
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    if angle:
        middle, centre = (height - 1) / 2, (width - 1) / 2
        down, right = rows - middle, columns - centre
        cosine, sine = math.cos(angle), math.sin(angle)
        rows = np.rint(middle + cosine * down - sine * right)
        columns = np.rint(centre + sine * down + cosine * right)
    on_rows = (rows - shift[0]) % distance < thickness
    on_columns = (columns - shift[1]) % distance < thickness
    return on_rows | on_columns


PATCH_SIZES = (0, 16, 32, 44, 56)
_HOW_OFTEN = 0.5


@TRANSFORMS.register()
@dataclass(frozen=True)
class HideAndSeek(Transform):
    """Divides the picture into patches and sets half of them, drawn one by one, to 0 (Singh & Lee 2017, section 3.1).

    The side of the patches is drawn for every picture: 16, 32, 44 or 56 pixels, or none, which leaves it as it is.
    After NormalizeImage the value 0 is the mean colour, with which the paper hides.
    """

    draws = True

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The picture [H, W, C], or a copy of it with hidden patches."""
        rng = generator(rng, "HideAndSeek")
        side = PATCH_SIZES[int(rng.integers(len(PATCH_SIZES)))]
        if side == 0:
            return image
        height, width = image.shape[:2]
        shape = (-(-height // side), -(-width // side))  # rounded up
        is_hidden = rng.random(shape) < _HOW_OFTEN
        pixels = is_hidden.repeat(side, axis=0).repeat(side, axis=1)[:height, :width]
        hidden = image.copy(order="K")
        hidden[pixels] = 0
        return hidden
