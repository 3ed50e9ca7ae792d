"""What the annotations of a dataclass say about its keys, and which values they allow."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import operator
import os
from numbers import Integral, Real
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from ppcls.utils.fields import Component, Operation, Range, is_union

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
    return {
        field.name: hints[field.name]
        for field in dataclasses.fields(cls)
        if field.init and field.name[0] != "_"
    }


@functools.cache
def required_fields(cls: Any) -> frozenset[str]:
    """The fields of a dataclass that have no default."""
    required = set()
    for field in dataclasses.fields(cls):
        defaults = (field.default, field.default_factory)
        if defaults == (dataclasses.MISSING, dataclasses.MISSING):
            required.add(field.name)
    return frozenset(required)


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
        return allows(args[0], value) and _is_in_ranges(value, args[1:])
    if is_union(annotation):
        return any(allows(arg, value) for arg in args)
    if origin is Literal:
        return any(_is_same(value, arg) for arg in args)
    if origin in LISTS:
        return _is_list_of(origin, args, value)
    return _is_a(annotation, value)


def _is_in_ranges(value: Any, marks: tuple[Any, ...]) -> bool:
    ranges = [mark for mark in marks if isinstance(mark, Range)]
    return all(within(value, bounds) for bounds in ranges)


def _is_same(value: Any, choice: Any) -> bool:
    """Equality that tells True from 1."""
    return isinstance(value, bool) == isinstance(choice, bool) and value == choice


def _is_list_of(origin: Any, args: tuple[Any, ...], values: Any) -> bool:
    if not isinstance(values, (list, tuple)):
        return False
    if origin is not tuple or args[-1] is Ellipsis:
        args = args[:1] * len(values)
    if len(args) != len(values):
        return False
    return all(map(allows, args, values))


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
        return _marked_shapes(args[0], args[1:])
    if is_union(annotation):
        return frozenset().union(*map(shapes_of, args))
    if origin is Literal:
        return frozenset(type(arg).__name__ for arg in args)
    if origin in LISTS:
        return frozenset({"list"})
    if origin in DICTS or dataclasses.is_dataclass(annotation):
        return frozenset({"dict"})
    if annotation in _SHAPES:
        return _SHAPES[annotation]
    return frozenset({annotation.__name__})


def _marked_shapes(annotation: Any, marks: tuple[Any, ...]) -> frozenset[str]:
    for mark in marks:
        if isinstance(mark, (Component, Operation)):
            return frozenset({"dict"})
    return shapes_of(annotation)
