"""What another library's format allows and this one does not act on: each such thing has a sentence of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True)
class Unused:
    """A key that nothing reads: what to do instead, and how it may be written and ask for nothing anyway.

    Attributes:
        sentence: what is wrong; what to write.
        off: the values that mean what happens without the key.
        switch: the key of a section that turns it off by `false`.
    """

    sentence: str
    off: tuple[Any, ...] = ()
    switch: str = ""

    def asks_for_nothing(self, value: Any) -> bool:
        """Whether the value means what happens without the key; an empty one always does."""
        if isinstance(value, dict):
            return value.get(self.switch) is False
        return value is None or any(
            type(value) is type(off) and value == off for off in self.off
        )


@dataclass(frozen=True)
class Legacy:
    """The sentences. They are asked for only where nothing here knows the key, the name or the value.

    Attributes:
        keys: by dotted key, in which `*` stands for anything.
        names: by kind of component, then by the component's name.
        values: by dotted key, then by value.
    """

    keys: Mapping[str, Unused] = field(default_factory=dict)
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def key(self, key: str) -> Unused | None:
        """What is known of a key, if anything is."""
        if key in self.keys:
            return self.keys[key]
        for pattern, unused in self.keys.items():
            if "*" in pattern and fnmatchcase(key, pattern):
                return unused
        return None

    def name(self, kind: str, name: str) -> str | None:
        """The sentence for a component's name."""
        return self.names.get(kind, {}).get(name)

    def value(self, key: str, value: Any) -> str | None:
        """The sentence for a value of a key."""
        return self.values.get(key, {}).get(value) if isinstance(value, str) else None
