"""Names to components.

A component is a frozen dataclass: its fields are its YAML keys, its annotations and `__post_init__` say which
values are possible, its methods do the work and import Paddle on first use. So a configuration is checked
against the very definition that later acts, and without Paddle.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from ppcls.utils.errors import UserError, suggest

T = TypeVar("T", bound=type)
_OR_IMPORT = "or give the file that registers it: --import FILE"


class Registry:
    """Component classes of one kind, by the name that a configuration uses.

    Attributes:
        kind: what the components are, in messages and in `ppcls.utils.fields.Operation` and `Component`.
        same_meaning: whether two sequences of components do the same, however they are written; plain equality
            unless the package that defines the kind knows more. Raises a ValueError for an impossible sequence.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.same_meaning: Callable[[Sequence[Any], Sequence[Any]], bool] = operator.eq
        self._classes: dict[str, type] = {}

    def register(self, *names: str) -> Callable[[T], T]:
        """Decorator: adds a class under its own name, or under `names`; a name taken already is a ValueError."""

        def add(cls: T) -> T:
            for name in names or (cls.__name__,):
                if name in self._classes:
                    raise ValueError(
                        f"the {self.kind} {name} is registered already, by {self._classes[name]}"
                    )
                self._classes[name] = cls
            return cls

        return add

    def __getitem__(self, name: str) -> type:
        if name not in self._classes:
            near = suggest(name, self._classes)
            known = "" if near else f"; known: {', '.join(sorted(self._classes))}"
            raise UserError(
                f"there is no {self.kind} named {name!r}{near}{known}; {_OR_IMPORT}"
            )
        return self._classes[name]

    def __contains__(self, name: object) -> bool:
        return name in self._classes

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def names(self) -> list[str]:
        """All registered names, in order of registration."""
        return list(self._classes)
