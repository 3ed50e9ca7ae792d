"""What the annotations of a dataclass say about its keys."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from ppcls.untrusted.yaml_nodes import Node
from ppcls.utils.fields import Component, Operation, Range, is_union

LISTS = (list, tuple, collections.abc.Sequence)
DICTS = (dict, collections.abc.Mapping)


@functools.cache
def field_types(cls: Any) -> dict[str, Any]:
    """The keys that a dataclass has in YAML, with their annotations; fields that begin with `_` are none."""
    hints = get_type_hints(cls, include_extras=True)
    return {
        field.name: hints[field.name]
        for field in dataclasses.fields(cls)
        if field.init and field.name[0] != "_"
    }


@functools.cache
def required_fields(cls: Any) -> frozenset[str]:
    """The fields of a dataclass that have no default."""
    nothing = dataclasses.MISSING
    fields = dataclasses.fields(cls)
    return frozenset(
        field.name
        for field in fields
        if field.default is nothing and field.default_factory is nothing
    )


def within(value: Any, bounds: Range) -> bool:
    """Whether a number is in the range; nothing (None) always is."""
    if value is None:
        return True
    high_enough = (bounds.low is None or value >= bounds.low) and (
        bounds.above is None or value > bounds.above
    )
    return high_enough and (bounds.high is None or value <= bounds.high)


def shape_of(node: Node) -> str:
    """The type of a node's value, by name: `dict`, `list`, `str`, `int`, `float`, `bool` or `NoneType`."""
    return type(node.value).__name__


def shapes_of(annotation: Any) -> frozenset[str]:
    """The types of node that an annotation may accept, by name."""
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
        return frozenset({"dict", "list", "str", "int", "float", "bool", "NoneType"})
    # A fraction is text, and 1e3 a whole number.
    return frozenset(
        {float: ("int", "float", "str"), int: ("int", "float")}.get(
            annotation, (annotation.__name__,)
        )
    )
