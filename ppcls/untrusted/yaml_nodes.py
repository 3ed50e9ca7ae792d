"""The values of a configuration, each with the place that it was written at, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ppcls.utils.errors import ConfigError, shortened
from ppcls.utils.fields import unknown_key

MOST_PROBLEMS = 100
_LONGEST_KEY, _LONGEST_TEXT = 210, 500  # characters of a message


@dataclass(frozen=True)
class Origin:
    """Where a value was written: a file and its line (from 1), or an override, which has no line.

    Attributes:
        source: The file's path, or for an override `-o KEY=VALUE`.
        line: The line in the file; 0 for none.
        is_override: Whether the user wrote it on the command line. A file may have a name that looks like an override.
    """

    source: str
    line: int = 0
    is_override: bool = False

    def __str__(self) -> str:
        if self.line:
            return f"{self.source}:{self.line}"
        return self.source


@dataclass
class Node:
    """A value and its place: a scalar, a dict of nodes by key, or a list of nodes. A key's value has the key's line."""

    value: Any
    origin: Origin

    def copy(self) -> Node:
        """A tree of its own, so that changing it changes nothing else."""
        if isinstance(self.value, dict):
            return Node(
                {key: node.copy() for key, node in self.value.items()}, self.origin
            )
        if isinstance(self.value, list):
            return Node([node.copy() for node in self.value], self.origin)
        return Node(self.value, self.origin)

    def children(self) -> list[Node]:
        """The nodes directly below."""
        if isinstance(self.value, dict):
            return list(self.value.values())
        if isinstance(self.value, list):
            return self.value
        return []

    def plain(self) -> Any:
        """The value without places, in dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


@dataclass(frozen=True)
class Problem:
    """What is wrong at a place, and what to write there."""

    origin: Origin
    key: str
    text: str

    def __str__(self) -> str:
        place = shortened(str(self.origin), _LONGEST_KEY)
        text = shortened(self.text, _LONGEST_TEXT)
        if not self.key or place.startswith(f"-o {self.key}="):
            return f"{place}: {text}"
        return f"{place} {shortened(self.key, _LONGEST_KEY)}: {text}"

    @property
    def order(self) -> tuple[bool, str, int]:
        """Files by name and line, then the overrides."""
        return (
            not self.origin.line,
            self.origin.source if self.origin.line else "",
            self.origin.line,
        )


class Problems(list[Problem]):
    """All that is wrong with one configuration, up to `MOST_PROBLEMS`."""

    def add(self, origin: Origin, key: str, text: str) -> None:
        """Note a problem: what is wrong; what to write.

        Raises:
            ConfigError: There are `MOST_PROBLEMS` already. A file of a million wrong lines is reported in a moment.
        """
        if len(self) == MOST_PROBLEMS:
            self.raise_if_any()
        self.append(Problem(origin, key, text))

    def add_unknown_key(
        self, origin: Origin, section: str, name: str, known: Collection[str]
    ) -> None:
        """Note a key that a section does not have."""
        if origin.is_override and origin.source.startswith(f"-o {section}."):
            section = ""  # the override names it already
        self.add(origin, section, unknown_key(name, known))

    def raise_if_any(self) -> None:
        """Report all problems together.

        Raises:
            ConfigError: There is at least one.
        """
        if not self:
            return
        messages = []
        for problem in sorted(self, key=lambda problem: problem.order):
            messages.append(str(problem))
        if len(messages) == MOST_PROBLEMS:
            messages.append("there may be more problems; correct these first")
        raise ConfigError(messages)


def as_node(value: Any, origin: Origin) -> Node:
    """The node of a value in dicts, lists and scalars, all of one place."""
    if isinstance(value, dict):
        return Node({key: as_node(item, origin) for key, item in value.items()}, origin)
    if isinstance(value, list):
        return Node([as_node(item, origin) for item in value], origin)
    return Node(value, origin)


def join(key: str, part: object) -> str:
    """The dotted key of `part` within `key`."""
    return f"{key}.{part}" if key else str(part)


def find(root: Node, key: str) -> tuple[Node, bool]:
    """The node of a dotted key and True; or the innermost node around it and False.

    An item of a list goes by its place, or by the name of its operation, which stands for the operation's keys.
    """
    node = root
    for part in key.split("."):
        children = _children(node)
        if part not in children:
            return node, False
        node = children[part]
    return node, True


def _children(node: Node) -> dict[str, Node]:
    """The nodes below by their keys, or by their places and the names of their operations."""
    if isinstance(node.value, dict):
        return node.value
    if not isinstance(node.value, list):
        return {}
    children: dict[str, Node] = {}
    for item in node.value:
        if isinstance(item.value, dict):
            children.update(item.value)
    for place, item in enumerate(node.value):
        children[str(place)] = item
    return children
