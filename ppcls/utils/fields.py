"""The annotations of a component's fields: what they allow, how messages describe them, and the base that applies them.

They say more of a field than its Python type does. Use them inside `typing.Annotated`:
`batch_size: Annotated[int, Range(1)] = 64`. `ppcls.config` reads them. `CheckedFields` applies them to a component
that is made without a configuration as well.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import operator
import os
import types
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import (
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from ppcls.utils.errors import nearest, shortened


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
    found = {}
    for field in dataclasses.fields(cls):
        if field.init and not field.name.startswith("_"):
            found[field.name] = hints[field.name]
    return found


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


_LONGEST_VALUE = 200
_WORDS = {
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
    return shortened(repr(value), _LONGEST_VALUE)


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
    return _WORDS.get(annotation, "a value")


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


T = TypeVar("T")


class CheckedFields:
    """Checks the fields of a dataclass against their annotations: types, `Range`s and `Literal`s.

    A dataclass that has a `__post_init__` of its own calls this one first, or after it gave values their final form.

    Raises:
        ValueError: a field holds a value that its annotation does not allow.
    """

    def __post_init__(self) -> None:
        cls: Any = type(self)
        for name, annotation in field_types(cls).items():
            value = getattr(self, name)
            if not allows(annotation, value):
                raise ValueError(
                    f"{name} is {_shown(value)}; write {describe(annotation)}"
                )


def make_object(cls: type[T], keys: Mapping[str, Any]) -> T:
    """Make an object of a dataclass whose fields are the keys.

    Raises:
        FieldError: A key is unknown or missing.
        ValueError: A value is impossible.
    """
    check_keys(cls, keys)
    return cls(**keys)


def check_keys(cls: Any, keys: Collection[object], given: Collection[str] = ()) -> None:
    """Compare keys with the fields of a dataclass.

    Args:
        cls: The dataclass.
        keys: The keys.
        given: Fields whose values come from elsewhere.

    Raises:
        FieldError: A key is unknown, or one without a default is missing.
    """
    known = dict(field_types(cls))
    for name in given:
        known.pop(name, None)
    for key in keys:
        if key not in known:
            raise FieldError(str(key), unknown_key(key, known))
    missing = required_fields(cls).difference(keys)
    for name, annotation in known.items():
        if name in missing:
            text = f"{name} is missing; write {describe(annotation)}"
            raise FieldError(name, text)


def unknown_key(key: object, known: Collection[str]) -> str:
    """The sentence about a key that is none of the known ones."""
    near = nearest(str(key), known)
    if near is not None:
        return f"unknown key {show(key)}. Did you mean {near!r}?"
    if not known:
        return f"unknown key {show(key)}; remove it, there are no keys here"
    return f"unknown key {show(key)}; write one of {', '.join(known)}"


def _shown(value: Any) -> str:
    """A value as a message names it; a tuple as the list that YAML has."""
    return repr(list(value) if isinstance(value, tuple) else value)


def require(condition: object, text: str) -> None:
    """Check a rule that an annotation cannot state, such as one between two fields.

    Args:
        condition: Whether the rule is kept.
        text: What is wrong otherwise, and what to write.

    Raises:
        ValueError: The rule is broken.
    """
    if not condition:
        raise ValueError(text)
