"""The base of every component and section: its values are checked against its annotations."""

from __future__ import annotations

from typing import Any

from ppcls.utils.annotations import allows, field_types
from ppcls.utils.describe import describe


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


def _shown(value: Any) -> str:
    """A value as a message names it; a tuple as the list that YAML has."""
    return repr(list(value) if isinstance(value, tuple) else value)
