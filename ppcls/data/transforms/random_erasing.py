"""Covering a random part of a picture."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from ppcls.data.transforms.base import (
    TRANSFORMS,
    Transform,
    generator,
    set_field,
)
from ppcls.utils.checked_fields import require
from ppcls.utils.errors import expect
from ppcls.utils.fields import Fraction, PositiveInt, Range

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
