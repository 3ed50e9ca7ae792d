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


class _CannotSet(Exception):
    """The tree has no place for a key; the text is what a user reads."""


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
    origin = Origin(f"-o {override}", is_override=True)
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
    if (
        text.strip() == "None"
    ):  # as PaddleClas's users write it, whose overrides are Python
        return parts, Node(None, origin)
    value = read_yaml(text, lambda line: origin, problems)
    if value is None:
        return None
    return parts, value


def _names_a_file(text: str) -> bool:
    """Whether a file has this name, which YAML would read otherwise: `a #1.jpg`, `[1].jpg`."""
    return not _PLAIN.fullmatch(text) and os.path.lexists(text)


def put(root: Node, parts: list[str], value: Node, problems: Problems) -> None:
    """Set the value of a key, given by its parts; see `apply_overrides`."""
    try:
        _set(root, parts, value)
    except _CannotSet as error:
        problems.add(value.origin, "", str(error))


def _set(root: Node, parts: list[str], value: Node) -> None:
    node = root
    for depth, part in enumerate(parts[:-1]):
        is_in_list = isinstance(node.value, list)
        node = _step(node, part, ".".join(parts[:depth]), value.origin)
        if is_in_list and part.isdecimal():
            _check_operation(node, parts, depth)
    where, last = ".".join(parts[:-1]), parts[-1]
    if isinstance(node.value, list):
        _replace(_find(node.value, last, where), last, value)
    else:
        _keys_of(node, where)[last] = value


def _replace(item: Node, part: str, value: Node) -> None:
    """Replace an item named by its place; for one named by its operation, replace the operation's keys."""
    if part.isdecimal():
        item.value, item.origin = value.value, value.origin
    else:
        item.value[part] = value


def _step(node: Node, part: str, where: str, origin: Origin) -> Node:
    """The child of a node by a key, a place, or an operation's name; a missing mapping is created."""
    keys: dict[str, Node]
    if isinstance(node.value, list):
        item = _find(node.value, part, where)
        if part.isdecimal():
            return item
        keys = item.value
    else:
        keys = _keys_of(node, where)
    return keys.setdefault(part, Node(None, origin))


def _keys_of(node: Node, where: str) -> dict[str, Node]:
    """The mapping of a node; null becomes an empty one."""
    if node.value is None:
        node.value = {}
    if not isinstance(node.value, dict):
        raise _CannotSet(f"{where} is a value and has no keys; set {where} itself")
    keys: dict[str, Node] = node.value
    return keys


def _check_operation(item: Node, parts: list[str], depth: int) -> None:
    """Refuse `list.1.size`: after the place of an operation its name must follow, as in `list.1.ResizeImage.size`."""
    if not isinstance(item.value, dict) or len(item.value) != 1:
        return
    (name,) = item.value
    if parts[depth + 1] == name:
        return
    where = ".".join(parts[: depth + 1])
    written = f"{where}.{name}.{parts[-1]}"
    raise _CannotSet(
        f"{where} is {name}; write {written}, or set {where} to another operation"
    )


def _find(items: list[Node], part: str, where: str) -> Node:
    """The item at a place or with an operation's name.

    Raises:
        _CannotSet: there is none, or several have the name.
    """
    # Python refuses to read numbers of thousands of digits
    if part.isdecimal() and len(part) < 10 and int(part) < len(items):
        return items[int(part)]
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
    raise _CannotSet(text)


def _places_by_name(items: list[Node]) -> dict[str, list[int]]:
    """The places in a list at which each operation stands."""
    places: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        if not isinstance(item.value, dict):
            continue
        for name in item.value:
            places.setdefault(name, []).append(place)
    return places
