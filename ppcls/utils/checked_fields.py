"""The base of every component and section: its values are checked against its annotations."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from ppcls.utils.describe import describe, show
from ppcls.utils.errors import nearest
from ppcls.utils.fields import FieldError, allows, field_types, required_fields

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
    types = dict(field_types(cls))
    for name in given:
        types.pop(name, None)
    for key in keys:
        if key not in types:
            raise FieldError(str(key), unknown_key(key, types))
    missing = required_fields(cls).difference(keys)
    for name, annotation in types.items():
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
