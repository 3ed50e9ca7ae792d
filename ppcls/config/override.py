"""`-o a.b.c=value`: one value of the configuration, set from the command line."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ppcls.untrusted.yaml_nodes import Node, Origin, Problems, join
from ppcls.untrusted.yaml_reader import read_yaml
from ppcls.utils.errors import suggest

# What YAML takes as it is, or for a number, a truth value or nothing
_PLAIN = re.compile(r"[\w.+~/-]*")


def apply_overrides(root: Node, overrides: Sequence[str], problems: Problems) -> None:
    """Set each `key=value` in the tree, in order; the value is YAML and replaces the old one.

    Keys are joined by dots. An item of a list is named by its place, from 0, or by its operation where the list holds
    that operation once. Missing mappings are created.
    """
    for override in overrides:
        setting = parse_override(override, problems)
        if setting is not None:
            put(root, *setting, problems)


def parse_override(override: str, problems: Problems) -> tuple[list[str], Node] | None:
    """Split an override into the parts of its key and its value; None (and a problem) if it is not `key=YAML`."""
    origin = Origin(f"-o {override}")
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        problems.add(origin, "", "is not an override; write -o Section.key=value")
        return None
    # A pattern, `*.jpg`; to YAML a reference, of which no override has the anchor
    if text.lstrip().startswith("*"):
        return parts, Node(text.strip(), origin)
    if _names_a_file(text):
        return parts, Node(text, origin)
    value = read_yaml(text, lambda line: origin, problems)
    if value is None:
        return None
    return parts, value


def _names_a_file(text: str) -> bool:
    """Whether a file has this name, which YAML would read otherwise: `a #1.jpg`, `[1].jpg`."""
    return not _PLAIN.fullmatch(text) and os.path.lexists(text)


def put(root: Node, parts: list[str], value: Node, problems: Problems) -> None:
    """Set the value of a key, given by its parts; see `apply_overrides`."""
    node = root
    for depth, part in enumerate(parts[:-1]):
        is_in_list = isinstance(node.value, list)
        below = _step(node, part, ".".join(parts[:depth]), value.origin, problems)
        if below is None:
            return
        if is_in_list and _lacks_name(below, parts, depth, value.origin, problems):
            return
        node = below
    where, last = ".".join(parts[:-1]), parts[-1]
    if isinstance(node.value, list):
        item = _find(node.value, last, where, value.origin, problems)
        if item is not None:
            _replace(item, last, value)
    elif _is_mapping(node, where, value.origin, problems):
        node.value[last] = value


def _replace(item: Node, part: str, value: Node) -> None:
    """Replace an item named by its place; for one named by its operation, replace the operation's keys."""
    if part.isdecimal():
        item.value, item.origin = value.value, value.origin
    else:
        item.value[part] = value


def _step(
    node: Node, part: str, where: str, origin: Origin, problems: Problems
) -> Node | None:
    """The child of a node by a key, a place, or an operation's name; a missing mapping is created."""
    if isinstance(node.value, list):
        item = _find(node.value, part, where, origin, problems)
        if item is None or part.isdecimal():
            return item
        return _child(item, part, origin)
    if not _is_mapping(node, where, origin, problems):
        return None
    return _child(node, part, origin)


def _child(node: Node, key: str, origin: Origin) -> Node:
    return node.value.setdefault(key, Node(None, origin))


def _is_mapping(node: Node, where: str, origin: Origin, problems: Problems) -> bool:
    """Whether the node has keys; nothing (null) becomes a mapping."""
    if node.value is None:
        node.value = {}
    if not isinstance(node.value, dict):
        problems.add(
            origin, "", f"{where} is a value and has no keys; set {where} itself"
        )
    return isinstance(node.value, dict)


def _lacks_name(
    item: Node, parts: list[str], depth: int, origin: Origin, problems: Problems
) -> bool:
    """Whether `list.1` is followed by a key of its operation and not by the operation's name, which is a problem."""
    names = []
    if parts[depth].isdecimal() and isinstance(item.value, dict):
        names = list(item.value)
    if len(names) != 1 or parts[depth + 1] == names[0]:
        return False
    where = ".".join(parts[: depth + 1])
    written = f"{where}.{names[0]}.{parts[-1]}"
    problems.add(
        origin,
        "",
        f"{where} is {names[0]}; write {written}, or set {where} to another operation",
    )
    return True


def _position(part: str) -> int | None:
    """The place of an item, from 0; None for a name."""
    # Python raises an error for numbers of thousands of digits
    if not part.isdecimal() or len(part) >= 10:
        return None
    return int(part)


def _find(
    items: list[Node], part: str, where: str, origin: Origin, problems: Problems
) -> Node | None:
    """The item at a place or with an operation's name; None (and a problem) if there is none or more than one."""
    position = _position(part)
    if position is not None and position < len(items):
        return items[position]
    places = _places_by_name(items)
    found = places.get(part, [])
    if len(found) == 1:
        return items[found[0]]
    if found:
        choices = " or ".join(join(where, place) for place in found)
        text = f"{part} occurs {len(found)} times in {where}; write {choices}"
    elif part.isdecimal():
        text = f"{where} has {len(items)} items; count from 0"
    else:
        known = ", ".join(places) or "nothing that has a name"
        text = f"there is no {part} in {where}{suggest(part, places)}; it holds {known}"
    problems.add(origin, "", text)
    return None


def _places_by_name(items: list[Node]) -> dict[str, list[int]]:
    """The places in a list at which each operation stands."""
    places: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        if not isinstance(item.value, dict):
            continue
        for name in item.value:
            places.setdefault(name, []).append(place)
    return places
