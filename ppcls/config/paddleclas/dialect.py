"""Keys, names and values of PaddleClas's format that have no effect or no support here, each with its own message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ppcls.utils.fields import is_one_of


@dataclass(frozen=True)
class Unused:
    """A key that nothing reads.

    Attributes:
        sentence: what is wrong, and what to write instead.
        off: the values that mean the same as leaving the key out.
        switch: the key of a section that turns the section off by `false`.
    """

    sentence: str
    off: tuple[Any, ...] = ()
    switch: str = ""

    def asks_for_nothing(self, value: Any) -> bool:
        """Whether the value means the same as leaving the key out; null always does."""
        if isinstance(value, dict):
            return value.get(self.switch) is False
        return value is None or is_one_of(value, self.off)


@dataclass(frozen=True)
class Ignored:
    """A key on which no result depends: every value is accepted, with one line in the log.

    Attributes:
        reason: why it has no effect here.
        off: the values that mean the same as leaving the key out, which need no line.
    """

    reason: str
    off: tuple[Any, ...] = (False,)

    def asks_for_nothing(self, value: Any) -> bool:
        """Whether the value means the same as leaving the key out; null always does."""
        return value is None or is_one_of(value, self.off)


@dataclass(frozen=True)
class Legacy:
    """Messages for keys, names and values that this library does not know.

    Attributes:
        keys: by dotted key, in which `*` stands for anything.
        names: by kind of component, then by the component's name.
        values: by dotted key, then by value.
    """

    keys: Mapping[str, Unused | Ignored] = field(default_factory=dict)
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def key(self, key: str) -> Unused | Ignored | None:
        """The entry of a key; None if there is none."""
        if key in self.keys:
            return self.keys[key]
        for pattern, entry in self.keys.items():
            if "*" in pattern and fnmatchcase(key, pattern):
                return entry
        return None

    def name(self, kind: str, name: str) -> str | None:
        """The sentence for a component's name."""
        return self.names.get(kind, {}).get(name)

    def value(self, key: str, value: Any) -> str | None:
        """The sentence for a value of a key."""
        if not isinstance(value, str):
            return None
        return self.values.get(key, {}).get(value)
