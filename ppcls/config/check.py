"""Checks nodes against annotations and makes the objects that these describe. Knows no component by import."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from ppcls.config.paddleclas.dialect import Ignored, Legacy
from ppcls.config.paths import PathUse, absolute, locate
from ppcls.untrusted.yaml_nodes import Node, Problem, Problems, find, join
from ppcls.untrusted.yaml_reader import parse_fraction, parse_scalar
from ppcls.utils.errors import UserError, expect
from ppcls.utils.fields import (
    DICTS,
    LISTS,
    Component,
    FieldError,
    Operation,
    Range,
    ReadPath,
    UserPath,
    describe,
    field_types,
    is_one_of,
    is_union,
    item_kinds,
    required_fields,
    shapes_of,
    show,
    within,
)
from ppcls.utils.files import expanded
from ppcls.utils.registry import Registry

INVALID: Any = object()
_TOO_LARGE = 2**63
_LONGEST_PATH = 4096  # of Linux; variables in a path can make it longer without end
_SCALARS = (bool, int, float, str, type(None))
_COLLECTIONS = (dict, list, type(None))


class Checker:
    """Converts nodes to the values that annotations describe, and collects every problem.

    Attributes:
        problems: all problems so far.
        absolute_paths: whether relative paths of existing files become absolute.
        paths: the paths found so far; whether they can be read is not tested.
        values: the valid lists and objects made so far, by dotted key.
        lines: what the log gets: one line for each key that is accepted without an effect.
    """

    def __init__(
        self,
        registries: Mapping[str, Registry],
        problems: Problems,
        legacy: Legacy,
        absolute_paths: bool = False,
    ) -> None:
        self.registries = registries
        self.absolute_paths = absolute_paths
        self.problems = problems
        self.legacy = legacy
        self.paths: list[PathUse] = []
        self.values: dict[str, Any] = {}
        self.lines: list[str] = []

    def check(self, annotation: Any, node: Node, key: str, wanted: Any = None) -> Any:
        """Convert `node` to the type of the annotation; INVALID and at least one problem if that fails.

        Args:
            annotation: the type to convert to.
            node: the value as the file has it.
            key: its dotted key.
            wanted: the whole annotation, for messages, where `annotation` is a part of it.
        """
        origin, args = get_origin(annotation), get_args(annotation)
        wanted = wanted or annotation
        if origin is Annotated:
            return self._annotated(args[0], args[1:], node, key, wanted)
        if is_union(annotation):
            return self._union(args, node, key, wanted)
        if origin in LISTS:
            return self._list(annotation, node, key, wanted)
        if origin in DICTS:
            return self._dict(annotation, node, key)
        if origin is Literal:
            if is_one_of(node.value, args):
                return node.value
            return self._refuse(node, key, wanted)
        if annotation in (Any, object):
            return node.plain()
        if dataclasses.is_dataclass(annotation):
            return self.make(annotation, node, key)
        assert annotation in _SCALARS, (
            f"{key} has an annotation that a configuration cannot be checked against: {annotation}"
        )
        return self._scalar(annotation, node, key, wanted)

    def _problem(self, node: Node, key: str, text: str) -> Any:
        """Add a problem. Returns INVALID, so that a caller can return it in turn."""
        self.problems.add(node.origin, key, text)
        return INVALID

    def _refuse(self, node: Node, key: str, wanted: Any) -> Any:
        """Add the problem that a value is not of the wanted type."""
        text = f"is {show(node.value)}; write {describe(wanted)}"
        if wanted is str and not isinstance(node.value, _COLLECTIONS):
            text = f"is {show(node.value)}, which is not text; put it in quotes"
        else:
            text = self.legacy.value(key, node.value) or text
        return self._problem(node, key, text)

    def _scalar(self, kind: type, node: Node, key: str, wanted: Any) -> Any:
        value = node.value
        try:
            if kind in _NUMBERS:
                value = _NUMBERS[kind](value)
        except ZeroDivisionError:
            text = f"is {value}, a division by zero; write a number or a fraction such as 1.0/255.0"
            return self._problem(node, key, text)
        if type(value) is not kind:
            return self._refuse(node, key, wanted)
        return value

    def _annotated(
        self, base: Any, marks: tuple[Any, ...], node: Node, key: str, wanted: Any
    ) -> Any:
        # A component and an operation have no other mark
        if isinstance(marks[0], Component):
            return self._component(marks[0].kind, node, key, wanted)
        if isinstance(marks[0], Operation):
            return self._operation(marks[0].kind, node, key)
        value = ""
        if not _stands_for_empty(node, marks):
            value = self.check(base, node, key, wanted)
        for mark in marks:
            if value is not INVALID:
                value = self._marked(mark, value, node, key, wanted)
        return value

    def _marked(
        self, mark: object, value: Any, node: Node, key: str, wanted: Any
    ) -> Any:
        """Apply one mark of an annotation to a value of the right type."""
        if isinstance(mark, Range) and not within(value, mark):
            return self._refuse(node, key, wanted)
        if isinstance(mark, UserPath):
            return self._expanded(value, node, key)
        if isinstance(mark, ReadPath):
            path = self._expanded(value, node, key)
            return self._path(path, mark, node, key, wanted)
        return value

    def _expanded(self, path: str, node: Node, key: str) -> Any:
        try:
            return _bounded(expanded(_bounded(path)))
        except UserError as error:
            return self._problem(node, key, str(error))

    def _path(
        self, path: Any, mark: ReadPath, node: Node, key: str, wanted: Any
    ) -> Any:
        if path is INVALID or path in mark.names:
            return path
        if not path:
            return self._problem(node, key, f"is empty; write {describe(wanted)}")
        if path.startswith(("http://", "https://")):
            return self._address(path, mark, node, key)
        return self._use(path, mark, node, key)

    def _address(self, address: str, mark: ReadPath, node: Node, key: str) -> Any:
        """An address where weights or pictures may stand; a file or folder of that name elsewhere."""
        if mark.what in ("weights", "pictures"):
            return address
        if mark.what == "checkpoint":
            text = (
                f"{address} is an address; download it and write the path of the file"
            )
            return self._problem(node, key, text)
        return self._use(address, mark, node, key)

    def _use(self, path: str, mark: ReadPath, node: Node, key: str) -> str:
        """Note a path that the command will read."""
        use = PathUse(key, node.origin, locate(path), mark.what, mark.names)
        self.paths.append(use)
        return absolute(use) if self.absolute_paths else use.path

    def _union(self, args: tuple[Any, ...], node: Node, key: str, wanted: Any) -> Any:
        if type(None) in args and node.value in (None, "None"):
            return self._null(node, key)
        shape = type(node.value).__name__
        fitting = [arg for arg in args if shape in shapes_of(arg)]
        if len(fitting) == 1:
            return self.check(fitting[0], node, key, wanted)
        problems, paths = len(self.problems), len(self.paths)
        for arg in fitting:
            value = self.check(arg, node, key)
            if value is not INVALID:
                return value
            # Take back what the alternative that does not fit has added
            del self.problems[problems:]
            del self.paths[paths:]
        return self._refuse(node, key, wanted)

    def _null(self, node: Node, key: str) -> Any:
        """None for a null; the text None, as Python writes it, is a problem."""
        if node.value is None:
            return None
        return self._problem(node, key, "is the text None; write null for nothing")

    def _list(self, annotation: Any, node: Node, key: str, wanted: Any) -> Any:
        make = list if get_origin(annotation) is list else tuple
        items = [] if node.value is None else node.value
        if not isinstance(items, list):
            return self._refuse(node, key, wanted)
        kinds = item_kinds(annotation, len(items))
        if len(kinds) != len(items):
            return self._refuse(node, key, wanted)
        places = [join(key, place) for place in range(len(items))]
        values = list(map(self.check, kinds, items, places))
        if INVALID in values:
            return INVALID
        self.values[key] = make(values)
        return self.values[key]

    def _dict(self, annotation: Any, node: Node, key: str) -> Any:
        name_type, value_type = get_args(annotation)
        if not isinstance(node.value, dict):
            return self._refuse(node, key, annotation)
        keys, values = [], []
        for name, child in node.value.items():
            place = join(key, name)
            written = name if name_type is str else parse_scalar(name)
            keys.append(self.check(name_type, Node(written, child.origin), place))
            values.append(self.check(value_type, child, place))
        if INVALID in keys or INVALID in values:
            return INVALID
        return dict(zip(keys, values))

    def _component(self, kind: str, node: Node, key: str, wanted: Any) -> Any:
        if not isinstance(node.value, dict):
            return self._refuse(node, key, wanted)
        rest = dict(node.value)
        name = rest.pop("name", None)
        if name is None:
            names = ", ".join(self.registries[kind])
            text = f"is missing; write the name of the {kind}: {names}"
            return self._problem(node, join(key, "name"), text)
        cls = self._class(kind, name, join(key, "name"))
        if cls is None:
            return INVALID
        given = {}
        if "name" in field_types(cls):
            given["name"] = name.value
        return self.make(cls, Node(rest, node.origin), key, given)

    def _operation(self, kind: str, node: Node, key: str) -> Any:
        keys = node.value
        remedy = f"write the {kind}'s name, a colon, and its keys on lines indented deeper than the name"
        if not isinstance(keys, dict):
            return self._problem(node, key, f"is {show(keys)}; {remedy}")
        if len(keys) != 1:
            found = f"holds {len(keys)} keys ({', '.join(keys)})"
            return self._problem(node, key, f"{found}; {remedy}")
        ((name, settings),) = keys.items()
        place = join(key, name)
        cls = self._class(kind, Node(name, settings.origin), place)
        if cls is None:
            return INVALID
        return self.make(cls, settings, place)

    def _class(self, kind: str, name: Node, key: str) -> type | None:
        """Look up a component's class; None (and a problem) if no component has that name."""
        if not isinstance(name.value, str):
            self._refuse(name, key, str)
            return None
        try:
            return self.registries[kind][name.value]
        except UserError as error:
            explained = self.legacy.name(kind, name.value)
            self._problem(name, key, explained or str(error))
            return None

    def make(
        self, cls: Any, node: Node, key: str, given: Mapping[str, Any] | None = None
    ) -> Any:
        """Make a dataclass whose fields are the node's keys; INVALID and at least one problem if that fails.

        Args:
            cls: the dataclass.
            node: a mapping; null is a mapping without keys.
            key: its dotted key.
            given: values that do not come from the node.
        """
        nodes = {} if node.value is None else node.value
        if not isinstance(nodes, dict):
            return self._refuse(node, key, cls)
        values = dict(given or {})
        types = dict(field_types(cls))
        for name in values:
            types.pop(name, None)
        for name in nodes:
            if name not in types:
                self._unknown(name, nodes[name], key, list(types))
        values.update(self._fields(cls, types, Node(nodes, node.origin), key))
        if INVALID in values.values():
            return INVALID
        try:
            self.values[key] = cls(**values)
        except FieldError as error:
            field_node, _ = find(node, error.key)
            return self._problem(field_node, join(key, error.key), str(error))
        except ValueError as error:
            return self._problem(node, key, str(error))
        return self.values[key]

    def _fields(
        self, cls: Any, types: Mapping[str, Any], node: Node, key: str
    ) -> dict[str, Any]:
        """Check the fields of a dataclass that a mapping gives; a required one that is missing is INVALID."""
        values = {}
        for name, kind in types.items():
            place = join(key, name)
            if name in node.value:
                values[name] = self.check(kind, node.value[name], place)
            elif name in required_fields(cls):
                text = f"is missing; write {describe(kind)}"
                values[name] = self._problem(node, place, text)
        return values

    def _unknown(self, name: str, node: Node, section: str, known: list[str]) -> None:
        """Report an unknown key, unless it is one of PaddleClas's that changes nothing here."""
        key = join(section, name)
        entry = self.legacy.key(key)
        if entry is None:
            self.problems.add_unknown_key(node.origin, section, name, known)
        elif entry.asks_for_nothing(node.plain()):
            return
        elif isinstance(entry, Ignored):
            text = f"accepted without effect: {entry.reason}"
            self.lines.append(str(Problem(node.origin, key, text)))
        else:
            self.problems.add(node.origin, key, entry.sentence)


def _stands_for_empty(node: Node, marks: tuple[Any, ...]) -> bool:
    """Whether a null is an empty text: a shell leaves only `KEY=` of `KEY=""`."""
    paths = [mark for mark in marks if isinstance(mark, ReadPath)]
    return node.value is None and any("" in mark.names for mark in paths)


def _is_finite_number(value: Any) -> bool:
    # A bool is an int to Python, but not in a configuration
    return type(value) in (int, float) and math.isfinite(value)


def _as_float(value: Any) -> float | None:
    """A finite number, or a fraction that is written as text; None for anything else."""
    if isinstance(value, str):
        value = parse_fraction(value)
    return float(value) if _is_finite_number(value) else None


def _as_int(value: Any) -> int | None:
    """An integer, or a float such as 5.0, that fits into 64 bits; None for anything else."""
    if not _is_finite_number(value) or value != int(value):
        return None
    return int(value) if abs(value) < _TOO_LARGE else None


_NUMBERS: dict[type, Callable[[Any], Any]] = {float: _as_float, int: _as_int}


def _bounded(path: str) -> str:
    """Return the path if a file can have it.

    Raises:
        UserError: it is too long or contains a null character.
    """
    expect(
        len(path) <= _LONGEST_PATH and "\0" not in path,
        f"is {show(path)}, which cannot be a path; write another one",
    )
    return path
