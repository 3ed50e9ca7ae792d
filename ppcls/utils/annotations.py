"""What the annotations of a dataclass say about its keys, and which values they allow."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import os
from numbers import Integral, Real
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from ppcls.utils.fields import Component, Operation, Range, is_union

LISTS = (list, tuple, collections.abc.Sequence)
DICTS = (dict, collections.abc.Mapping)
_ANY_SHAPE = frozenset({"dict", "list", "str", "int", "float", "bool", "NoneType"})


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
    if bounds.low is not None and not value >= bounds.low:
        return False
    if bounds.above is not None and not value > bounds.above:
        return False
    if bounds.high is not None and not value <= bounds.high:
        return False
    return bounds.below is None or value < bounds.below


def allows(annotation: Any, value: Any) -> bool:
    """Whether a field of this annotation may hold the value.

    Lists stand for tuples, and NumPy's numbers for Python's. Mappings and the objects of other classes are not looked
    into.
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        ranges = [mark for mark in args[1:] if isinstance(mark, Range)]
        return allows(args[0], value) and all(within(value, mark) for mark in ranges)
    if is_union(annotation):
        return any(allows(arg, value) for arg in args)
    if origin is Literal:
        return any(_is_same(value, arg) for arg in args)
    if origin in LISTS:
        return isinstance(value, (list, tuple)) and _allows_items(origin, args, value)
    return _is_a(annotation, value)


def _is_same(value: Any, choice: Any) -> bool:
    """Equality that tells True from 1."""
    return isinstance(value, bool) == isinstance(choice, bool) and value == choice


def _allows_items(origin: Any, args: tuple[Any, ...], values: Any) -> bool:
    if origin is not tuple or args[-1] is Ellipsis:
        return all(allows(args[0], value) for value in values)
    if len(args) != len(values):
        return False
    return all(allows(arg, value) for arg, value in zip(args, values))


def _is_a(kind: Any, value: Any) -> bool:
    """Whether a value is of a plain type; True for every type that is not plain."""
    if kind is float:
        return isinstance(value, Real) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if kind is str:
        return isinstance(value, (str, os.PathLike))
    if kind in (bool, type(None)):
        return isinstance(value, kind)
    return True


def shapes_of(annotation: Any) -> frozenset[str]:
    """The types of values in YAML that an annotation may accept, by name."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        marked = any(isinstance(mark, (Component, Operation)) for mark in args[1:])
        return frozenset({"dict"}) if marked else shapes_of(args[0])
    if is_union(annotation):
        return frozenset().union(*map(shapes_of, args))
    if origin is Literal:
        return frozenset(type(arg).__name__ for arg in args)
    if origin in LISTS:
        return frozenset({"list"})
    if origin in DICTS or dataclasses.is_dataclass(annotation):
        return frozenset({"dict"})
    if annotation in (Any, object):
        return _ANY_SHAPE
    if annotation is float:
        return frozenset({"int", "float", "str"})  # a fraction is text
    if annotation is int:
        return frozenset({"int", "float"})  # 1e3 is a whole number
    return frozenset({annotation.__name__})
