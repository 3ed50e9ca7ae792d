"""Annotations that say more of a component's field than its Python type does. `ppcls.config` reads them.

Use them inside `typing.Annotated`: `batch_size: Annotated[int, Range(1)] = 64`. `CheckedFields` applies them to a
component that is made without a configuration as well.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import operator
import os
import types
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import (
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)


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


LISTS = (list, tuple, collections.abc.Sequence)
DICTS = (dict, collections.abc.Mapping)
_COMPARISONS = {
    "low": operator.ge,
    "above": operator.gt,
    "high": operator.le,
    "below": operator.lt,
}
# The classes of values that a field of a plain type may hold
_PLAIN: dict[Any, Any] = {
    float: Real,
    int: Integral,
    str: (str, os.PathLike),
    bool: bool,
    type(None): type(None),
}
_ANY_SHAPE = frozenset({"dict", "list", "str", "int", "float", "bool", "NoneType"})
_SHAPES: dict[Any, frozenset[str]] = {
    Any: _ANY_SHAPE,
    object: _ANY_SHAPE,
    float: frozenset({"int", "float", "str"}),  # a fraction is text
    int: frozenset({"int", "float"}),  # 1e3 is a whole number
}


@functools.cache
def field_types(cls: Any) -> dict[str, Any]:
    """The keys that a dataclass has in YAML, with their annotations, without fields that begin with `_`."""
    hints = get_type_hints(cls, include_extras=True)
    fields = [field for field in dataclasses.fields(cls) if field.init]
    return {
        field.name: hints[field.name]
        for field in fields
        if not field.name.startswith("_")
    }


@functools.cache
def required_fields(cls: Any) -> frozenset[str]:
    """The fields of a dataclass that have no default."""
    missing = (dataclasses.MISSING, dataclasses.MISSING)
    return frozenset(
        field.name
        for field in dataclasses.fields(cls)
        if (field.default, field.default_factory) == missing
    )


def within(value: Any, bounds: Range) -> bool:
    """Whether a number is in the range; None always is, and NaN is in no range."""
    if value is None:
        return True
    for name, holds in _COMPARISONS.items():
        bound = getattr(bounds, name)
        if bound is not None and not holds(value, bound):
            return False
    return True


def allows(annotation: Any, value: Any) -> bool:
    """Whether a field of this annotation may hold the value.

    Lists stand for tuples, and NumPy's numbers for Python's. Mappings and the objects of other classes are not looked
    into.
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        ranges = [mark for mark in args[1:] if isinstance(mark, Range)]
        return allows(args[0], value) and all(within(value, each) for each in ranges)
    if is_union(annotation):
        return any(allows(arg, value) for arg in args)
    if origin is Literal:
        return _equals_one_of(value, args)
    if origin in LISTS:
        return _is_list_of(annotation, value)
    return _is_a(annotation, value)


def is_one_of(value: Any, choices: Iterable[Any]) -> bool:
    """Whether a value of YAML equals one of the choices and has its type: to Python `1 == True`."""
    return (type(value), value) in [(type(choice), choice) for choice in choices]


def _equals_one_of(value: Any, choices: Iterable[Any]) -> bool:
    """As `is_one_of`, but numbers of NumPy equal those of Python."""
    same_kind = [
        choice
        for choice in choices
        if isinstance(choice, bool) == isinstance(value, bool)
    ]
    return value in same_kind


def _is_list_of(annotation: Any, values: Any) -> bool:
    if not isinstance(values, (list, tuple)):
        return False
    kinds = item_kinds(annotation, len(values))
    return len(kinds) == len(values) and all(map(allows, kinds, values))


def item_kinds(annotation: Any, count: int) -> list[Any]:
    """The annotation of each item of a list or tuple of `count` items.

    `tuple[int, str]` gives two whatever the count is, so a list of another length does not fit.
    """
    args = get_args(annotation)
    has_one_kind = len(args) == 1 or args[-1] is Ellipsis
    if has_one_kind:
        return [args[0]] * count
    return list(args)


def is_union(annotation: Any) -> bool:
    """Whether an annotation is `X | Y`; between generics Python makes `typing.Union` of the bar."""
    return get_origin(annotation) in (Union, types.UnionType)


def _is_a(kind: Any, value: Any) -> bool:
    """Whether a value is of a plain type; True for every type that is not plain."""
    if kind not in _PLAIN:
        return True
    if isinstance(value, bool):  # Python takes it for an integer as well
        return kind is bool
    return isinstance(value, _PLAIN[kind])


def shapes_of(annotation: Any) -> frozenset[str]:
    """The types of values in YAML that an annotation may accept, by name."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        is_component = isinstance(args[1], (Component, Operation))
        return shapes_of(dict[str, Any] if is_component else args[0])
    if is_union(annotation):
        return frozenset().union(*map(shapes_of, args))
    if origin is Literal:
        return frozenset(type(arg).__name__ for arg in args)
    if origin in LISTS:
        return frozenset({"list"})
    if origin in DICTS or dataclasses.is_dataclass(annotation):
        return frozenset({"dict"})
    return _SHAPES.get(annotation, frozenset({annotation.__name__}))
