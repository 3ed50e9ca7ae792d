"""What a transform is, and the errors of pictures.

A transform is a frozen dataclass registered in `TRANSFORMS`; its fields are its YAML keys. It is called with a
picture, an array [H, W, C], and the generator of the sample, and returns a new picture without changing its input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ppcls.utils.errors import UserError
from ppcls.utils.fields import CheckedFields, require
from ppcls.utils.registry import Registry

TRANSFORMS = Registry("transform")

WidthHeight = tuple[int, int]
Box = tuple[int, int, int, int]  # left, top, width, height


class Transform(CheckedFields):
    """One operation on a picture; subclasses are frozen dataclasses."""

    draws: ClassVar[bool] = False
    """Whether the result depends on the generator."""
    moves_pixels: ClassVar[bool] = False
    """Whether it only selects and reorders pixels, so that it may trade places with one that works on each alone."""
    needs_rgb: ClassVar[bool] = False
    """Whether it tells red from blue, and so takes pictures in RGB only."""

    bytes_remedy: ClassVar[str] = "write it before"
    """What to write if it needs uint8 pictures and stands after NormalizeImage."""
    colors_remedy: ClassVar[str] = "remove it"
    """What to write if it needs colours and pictures are gray."""

    @property
    def needs_colors(self) -> bool:
        """Whether it takes pictures of three channels only."""
        return False

    @property
    def needs_bytes(self) -> bool:
        """Whether it takes uint8 pictures only, and so cannot follow the normalisation."""
        return False

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The transformed picture."""
        raise NotImplementedError

    def output_size(self, size: WidthHeight | None) -> WidthHeight | None:
        """(width, height) of the result for a picture of `size`; None where it is not known beforehand."""
        return size


class UnreadableImage(UserError):
    """A file that holds no picture, or only part of one. `reason` says what is wrong, `path` where (None for bytes)."""

    def __init__(self, reason: str, path: str | None = None) -> None:
        self.reason = reason
        self.path = path
        super().__init__(
            f"cannot read the picture{f' {path}' if path else ''}: {reason}"
        )


class SystemShortage(UserError):
    """The system gives no file descriptor, say, to read a picture with. Another try may succeed."""


class NotEnoughMemory(UserError, MemoryError):
    """Memory does not suffice for a picture here and now. Another try may succeed, so the picture is not unreadable."""

    reason = "there is not enough memory to read it"

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path}: {self.reason}; close other programs, or lower the number of threads or workers"
        )


def expect_readable(condition: object, reason: str) -> None:
    """Check what a picture that can be read fulfils.

    Args:
        condition: Whether it does.
        reason: Why the picture cannot be read otherwise.

    Raises:
        UnreadableImage: It does not.
    """
    if not condition:
        raise UnreadableImage(reason)


def pair(size: int | Sequence[int]) -> WidthHeight:
    """(width, height) of a size as configurations write it: one int for both, or [width, height].

    Raises:
        ValueError: it is neither, or less than 1.
    """
    sides = (size, size) if isinstance(size, int) else tuple(size)
    require(
        len(sides) == 2 and all(map(_is_side, sides)),
        f"size is {size!r}; write one number of pixels, or [width, height]",
    )
    return sides[0], sides[1]


def _is_side(value: object) -> bool:
    return isinstance(value, int) and value >= 1


def checked_size(size: int | Sequence[int]) -> int | WidthHeight:
    """A size as it is written, a list as a tuple; raises what `pair` raises."""
    sides = pair(size)
    return size if isinstance(size, int) else sides


Color = float | tuple[float, ...]  # one value for all channels, or one each


def checked_color(key: str, value: object) -> Color:
    """A colour as it is written, a list as a tuple.

    Raises:
        ValueError: it has neither one value nor three.
    """
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    require(
        len(values) in (1, 3),
        f"{key} is {list(values)}; write one number, or one per channel",
    )
    return values if isinstance(value, (list, tuple)) else values[0]


def values_of(color: Color, channels: int) -> tuple[float, ...]:
    """The value of each channel; of three equal ones that of a single channel.

    Raises:
        UserError: three values that differ, for one channel.
    """
    values = color if isinstance(color, tuple) else (color,)
    if len(values) == channels:
        return values
    if len(set(values)) == 1:
        return values[:1] * channels
    raise UserError(
        f"a colour has the values {list(values)}, but pictures have one channel; write one number"
    )


def cut(image: np.ndarray, box: Box) -> np.ndarray:
    """The part `box` of the picture [H, W, ...], as a view."""
    left, top, width, height = box
    return image[top : top + height, left : left + width]


def set_field(component: object, name: str, value: object) -> None:
    """Writes a field of a frozen dataclass; for `__post_init__`, where a value takes its final form."""
    object.__setattr__(component, name, value)


def one_of(key: str, value: object, choices: Sequence[object]) -> None:
    """Raises a ValueError that names the choices unless `value` is one of them."""
    require(
        value in choices,
        f"{key} is {value!r}; write {' or '.join(repr(choice) for choice in choices)}",
    )


def generator(rng: np.random.Generator | None, name: str) -> np.random.Generator:
    """`rng`, which a transform that draws cannot do without."""
    if rng is None:
        raise ValueError(
            f"{name} draws at random: call the transforms with an rng, or leave it out in evaluation"
        )
    return rng
