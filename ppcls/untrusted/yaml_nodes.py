"""The values of a configuration, each with the place that it was written at, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ppcls.utils.errors import ConfigError


@dataclass(frozen=True)
class Origin:
    """Where a value was written: a file and its line (from 1), or an override, which has no line."""

    source: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


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

    def plain(self) -> Any:
        """The value without places, in dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return (
            [node.plain() for node in self.value]
            if isinstance(self.value, list)
            else self.value
        )


@dataclass(frozen=True)
class Problem:
    """What is wrong at a place, and what to write there."""

    origin: Origin
    key: str
    text: str

    def __str__(self) -> str:
        place = str(self.origin)
        said_already = not self.key or place.startswith(f"-o {self.key}=")
        return (
            f"{place}: {self.text}"
            if said_already
            else f"{place} {self.key}: {self.text}"
        )

    @property
    def order(self) -> tuple[bool, str, int]:
        """Files by name and line, then the overrides."""
        return (
            not self.origin.line,
            self.origin.source if self.origin.line else "",
            self.origin.line,
        )


class Problems(list[Problem]):
    """All that is wrong with one configuration."""

    def add(self, origin: Origin, key: str, text: str) -> None:
        """Notes a problem: what is wrong; what to write."""
        self.append(Problem(origin, key, text))

    def raise_if_any(self) -> None:
        """Reports all problems together.

        Raises:
            ConfigError: there is one at least.
        """
        if self:
            raise ConfigError(
                [
                    str(problem)
                    for problem in sorted(self, key=lambda problem: problem.order)
                ]
            )


def as_node(value: Any, origin: Origin) -> Node:
    """The node of a value in dicts, lists and scalars, all of one place."""
    if isinstance(value, dict):
        return Node({key: as_node(item, origin) for key, item in value.items()}, origin)
    return Node(
        [as_node(item, origin) for item in value] if isinstance(value, list) else value,
        origin,
    )


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
    if not isinstance(node.value, list):
        return node.value if isinstance(node.value, dict) else {}
    operations = [item.value for item in node.value if isinstance(item.value, dict)]
    named = {
        name: child for operation in operations for name, child in operation.items()
    }
    return {**named, **{str(place): item for place, item in enumerate(node.value)}}
