"""Annotations and values in words, for `is 0; write a whole number of at least 1`."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal, get_args, get_origin

from ppcls.utils.errors import shortened
from ppcls.utils.fields import (
    DICTS,
    LISTS,
    Component,
    Operation,
    Range,
    ReadPath,
    field_types,
    is_union,
)

_LONGEST = 200
_PLAIN = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    type(None): "null",
}
# In the order in which they are written
_BOUNDS = {
    "above": "above",
    "low": "of at least",
    "high": "at most",
    "below": "below",
}
_PATHS = {
    "file": "the path of a file",
    "dir": "the path of a folder",
    "either": "the path of a file or folder",
    "pictures": "the path of a file or folder, or a pattern such as photos/*.jpg",
    "weights": "the path or address of a file of weights or the path of a checkpoint's folder",
    "checkpoint": "the path of a run's or checkpoint's folder",
}


def show(value: Any) -> str:
    """A value as a message names it."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    return shortened(repr(value), _LONGEST)


def describe(annotation: Any) -> str:
    """What may be written where this annotation stands."""
    args = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Annotated:
        return _marked(args[0], args[1:])
    if is_union(annotation):
        null_last = sorted(args, key=lambda arg: arg is type(None))
        return " or ".join(map(describe, null_last))
    if origin is Literal:
        return " or ".join(map(show, args))
    if origin in LISTS:
        return _list(origin, args)
    if origin in DICTS:
        return f"a mapping whose values are each {describe(args[1])}"
    if dataclasses.is_dataclass(annotation):
        cls: Any = annotation
        return "a mapping of " + ", ".join(field_types(cls))
    return _PLAIN.get(annotation, "a value")


def _list(origin: Any, args: tuple[Any, ...]) -> str:
    if origin is list or args[-1] is Ellipsis:
        return f"a list of {_plural(args[0])}"
    if len(set(args)) == 1:
        return f"a list of {len(args)} {_plural(args[0])}"
    return f"a list of {len(args)} ({', '.join(map(describe, args))})"


def _plural(annotation: Any) -> str:
    """What the items of a list are: `whole numbers of at least 1`."""
    words = describe(annotation)
    for one in ("a whole number", "a number"):
        if words.startswith(one):
            return f"{one[2:]}s{words[len(one) :]}"
    return f"items, each {words}"


def _marked(annotation: Any, marks: tuple[Any, ...]) -> str:
    words = describe(annotation)
    for mark in marks:
        if isinstance(mark, Range):
            words += _range(mark)
        elif isinstance(mark, ReadPath):
            words = " or ".join([*filter(None, mark.names), _PATHS[mark.what]])
        elif isinstance(mark, Component):
            words = f"a mapping of the {mark.kind}'s name and keys"
        elif isinstance(mark, Operation):
            words = f"the {mark.kind}'s name, a colon, and its keys indented under it"
    return words


def _range(mark: Range) -> str:
    """The words that follow `a number`: ` of at least 0 and below 1`, ` from 0 to 1`, ` above 0`."""
    if mark.low is not None and mark.high is not None:
        return f" from {mark.low} to {mark.high}"
    words = []
    for name, text in _BOUNDS.items():
        bound = getattr(mark, name)
        if bound is not None:
            words.append(f"{text} {bound}")
    if not words:
        return ""
    return " " + " and ".join(words)
