"""Annotations that say more of a component's field than its Python type does. `ppcls.config` reads them.

Use them inside `typing.Annotated`: `batch_size: Annotated[int, Range(1)] = 64`. `CheckedFields` applies them to a
component that is made without a configuration as well.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated


class FieldError(ValueError):
    """What is wrong with one key of a component, which is dotted where it lies deeper: `transform_ops.CropImage`."""

    def __init__(self, key: str, text: str) -> None:
        self.key = key
        super().__init__(text)


@dataclass(frozen=True)
class Range:
    """A number of at least `low` and at most `high`; `above` and `below` exclude their own values."""

    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None


@dataclass(frozen=True)
class Component:
    """A mapping with `name` and the keys of that component: `{name: Momentum, momentum: 0.9}`."""

    kind: str


@dataclass(frozen=True)
class Operation:
    """A mapping of one key, the component's name, to its keys: `{RandCropImage: {size: 224}}`."""

    kind: str


@dataclass(frozen=True)
class UserPath:
    """A path that nothing has to be at; `~` and environment variables in it are expanded, as in a `ReadPath`."""


@dataclass(frozen=True)
class ReadPath:
    """A path that must be readable when the command reads its section, and what has to be there.

    Args:
        what: a `file`, a `dir`, or `either`; `pictures`: these, an address, or a pattern that files match; `weights`: a
            file of weights, its path without `.pdparams`, its address, or the folder of a checkpoint or of a run;
            `checkpoint`: the folder of a checkpoint, `.../ppcls` in it, or one of its files, the folder of a run, or
            what a killed process left of one of these.
        names: What may stand in place of a path, and is not one; it may still grow, as user code registers components.
    """

    what: str
    names: Collection[str] = ()


PositiveInt = Annotated[int, Range(low=1)]
NonNegativeInt = Annotated[int, Range(low=0)]
PositiveFloat = Annotated[float, Range(above=0)]
NonNegativeFloat = Annotated[float, Range(low=0)]
Fraction = Annotated[float, Range(low=0, high=1)]
BelowOne = Annotated[float, Range(low=0, below=1)]
# Height and width in pixels: one number for both, or [width, height] as PaddleClas writes it.
Size = PositiveInt | tuple[PositiveInt, PositiveInt]
