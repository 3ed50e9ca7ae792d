"""Checks nodes against annotations and makes the objects that these describe. Knows no component by import."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from ppcls.config.paddleclas.dialect import Legacy
from ppcls.config.paths import PathUse, absolute, locate
from ppcls.untrusted.yaml_nodes import Node, Problems, find, join
from ppcls.untrusted.yaml_scalars import parse_fraction, parse_scalar
from ppcls.utils.annotations import (
    DICTS,
    LISTS,
    field_types,
    required_fields,
    shapes_of,
    within,
)
from ppcls.utils.describe import describe, show
from ppcls.utils.errors import UserError
from ppcls.utils.fields import (
    Component,
    FieldError,
    Operation,
    Range,
    ReadPath,
    UserPath,
    is_union,
)
from ppcls.utils.registry import Registry
from ppcls.utils.user_paths import expanded

INVALID: Any = object()
_TOO_LARGE = 2**63
_LONGEST_PATH = 4096  # of Linux; variables in a path can make it longer without end
_SCALARS = (bool, int, float, str, type(None))


class Checker:
    """Turns nodes into what annotations describe, and notes every problem on the way.

    Attributes:
        problems: all that is wrong so far.
        absolute_paths: whether relative paths of what is there become absolute.
        paths: the paths met so far; whether they can be read is not tested.
        values: the lists and objects made so far, by dotted key; the wrong ones are not there.
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

    def check(self, annotation: Any, node: Node, key: str, wanted: Any = None) -> Any:
        """The value of `node` as the annotation wants it, or INVALID and at least one problem.

        Args:
            annotation: what may stand there.
            node: what stands there.
            key: its dotted key.
            wanted: the whole annotation that messages describe, where `annotation` is a part of it.
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
            fits = any(
                type(node.value) is type(arg) and node.value == arg for arg in args
            )
            return node.value if fits else self._refuse(node, key, wanted)
        if annotation in (Any, object):
            return node.plain()
        if dataclasses.is_dataclass(annotation):
            return self.make(annotation, node, key)
        assert annotation in _SCALARS, (
            f"{key} has an annotation that a configuration cannot be checked against: {annotation}"
        )
        return self._scalar(annotation, node, key, wanted)

    def _refuse(self, node: Node, key: str, wanted: Any) -> Any:
        sentence = self.legacy.value(key, node.value)
        if wanted is str and not isinstance(node.value, (dict, list, type(None))):
            sentence = f"is {show(node.value)}, which is not text; put it in quotes"
        self.problems.add(
            node.origin,
            key,
            sentence or f"is {show(node.value)}; write {describe(wanted)}",
        )
        return INVALID

    def _scalar(self, kind: type, node: Node, key: str, wanted: Any) -> Any:
        value = node.value
        if kind is float and isinstance(value, str):
            try:
                value = parse_fraction(value)
            except ZeroDivisionError:
                self.problems.add(
                    node.origin,
                    key,
                    f"is {value}, a division by zero; write a number or a fraction such as 1.0/255.0",
                )
                return INVALID
        number = type(value) in (int, float) and math.isfinite(value)
        if kind is float and number:
            return float(value)
        if kind is int and number and value == int(value) and abs(value) < _TOO_LARGE:
            return int(value)
        if kind not in (int, float) and type(value) is kind:
            return value
        return self._refuse(node, key, wanted)

    def _annotated(
        self, base: Any, marks: tuple[Any, ...], node: Node, key: str, wanted: Any
    ) -> Any:
        for mark in marks:
            if isinstance(mark, Component):
                return self._component(mark.kind, node, key, wanted)
            if isinstance(mark, Operation):
                return self._operation(mark.kind, node, key)
        if _stands_for_empty(node, marks):
            value = ""
        else:
            value = self.check(base, node, key, wanted)
        for mark in marks:
            if value is INVALID:
                return INVALID
            if isinstance(mark, Range) and not within(value, mark):
                return self._refuse(node, key, wanted)
            if isinstance(mark, (UserPath, ReadPath)):
                value = self._expanded(value, node, key)
            if isinstance(mark, ReadPath) and value is not INVALID:
                value = self._path(value, mark, node, key, wanted)
        return value

    def _expanded(self, path: str, node: Node, key: str) -> Any:
        try:
            return _bounded(expanded(_bounded(path)))
        except UserError as error:
            self.problems.add(node.origin, key, str(error))
            return INVALID

    def _path(
        self, path: str, mark: ReadPath, node: Node, key: str, wanted: Any
    ) -> Any:
        is_address = path.startswith(("http://", "https://"))
        if path in mark.names or (mark.what == "weights" and is_address):
            return path
        if not path:
            self.problems.add(node.origin, key, f"is empty; write {describe(wanted)}")
        elif mark.what == "checkpoint" and is_address:
            self.problems.add(
                node.origin,
                key,
                f"{path} is an address; download it and write the path of the file",
            )
        else:
            use = PathUse(key, node.origin, locate(path), mark.what, mark.names)
            self.paths.append(use)
            return absolute(use) if self.absolute_paths else use.path
        return INVALID

    def _union(self, args: tuple[Any, ...], node: Node, key: str, wanted: Any) -> Any:
        if node.value is None and type(None) in args:
            return None
        if node.value == "None" and type(None) in args:
            self.problems.add(
                node.origin, key, "is the text None; write null for nothing"
            )
            return INVALID
        fitting = [arg for arg in args if type(node.value).__name__ in shapes_of(arg)]
        if len(fitting) == 1:
            return self.check(fitting[0], node, key, wanted)
        before = len(self.problems), len(self.paths)
        for arg in fitting:
            value = self.check(arg, node, key)
            if value is not INVALID:
                return value
            del self.problems[before[0] :], self.paths[before[1] :]
        return self._refuse(node, key, wanted)

    def _list(self, annotation: Any, node: Node, key: str, wanted: Any) -> Any:
        args = get_args(annotation)
        make = list if get_origin(annotation) is list else tuple
        items = [] if node.value is None else node.value
        variadic = make is list or len(args) == 1 or args[-1] is Ellipsis
        if not isinstance(items, list) or not (variadic or len(items) == len(args)):
            return self._refuse(node, key, wanted)
        kinds = [args[0]] * len(items) if variadic else args
        values = []
        for place, (kind, item) in enumerate(zip(kinds, items)):
            values.append(self.check(kind, item, join(key, place)))
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
            self.problems.add(
                node.origin,
                join(key, "name"),
                f"is missing; write the name of the {kind}: {names}",
            )
            return INVALID
        cls = self._class(kind, name, join(key, "name"))
        if cls is None:
            return INVALID
        given = {"name": name.value} if "name" in field_types(cls) else {}
        return self.make(cls, Node(rest, node.origin), key, given)

    def _operation(self, kind: str, node: Node, key: str) -> Any:
        keys = node.value
        if not isinstance(keys, dict) or len(keys) != 1:
            found = f"is {show(keys)}"
            if isinstance(keys, dict):
                found = f"holds {len(keys)} keys ({', '.join(keys)})"
            text = f"{found}; write the {kind}'s name, a colon, and its keys on lines indented deeper than the name"
            self.problems.add(node.origin, key, text)
            return INVALID
        ((name, settings),) = keys.items()
        cls = self._class(kind, Node(name, settings.origin), join(key, name))
        return self.make(cls, settings, join(key, name)) if cls else INVALID

    def _class(self, kind: str, name: Node, key: str) -> type | None:
        """The component's class; None (and a problem) if there is none of that name."""
        if not isinstance(name.value, str):
            self._refuse(name, key, str)
            return None
        try:
            return self.registries[kind][name.value]
        except UserError as error:
            self.problems.add(
                name.origin, key, self.legacy.name(kind, name.value) or str(error)
            )
            return None

    def make(
        self, cls: Any, node: Node, key: str, given: Mapping[str, Any] | None = None
    ) -> Any:
        """An object of a dataclass whose fields are the node's keys, or INVALID and at least one problem.

        Args:
            cls: the dataclass.
            node: a mapping; an empty node is one without keys.
            key: its dotted key.
            given: values that do not come from the node.
        """
        nodes = {} if node.value is None else node.value
        if not isinstance(nodes, dict):
            return self._refuse(node, key, cls)
        values = dict(given or {})
        types = {
            name: kind for name, kind in field_types(cls).items() if name not in values
        }
        for name in nodes:
            if name not in types:
                self._unknown(name, nodes[name], key, list(types))
        for name, kind in types.items():
            if name in nodes:
                values[name] = self.check(kind, nodes[name], join(key, name))
            elif name in required_fields(cls):
                self.problems.add(
                    node.origin, join(key, name), f"is missing; write {describe(kind)}"
                )
                values[name] = INVALID
        if INVALID in values.values():
            return INVALID
        try:
            self.values[key] = cls(**values)
        except FieldError as error:
            self.problems.add(
                find(node, error.key)[0].origin, join(key, error.key), str(error)
            )
            return INVALID
        except ValueError as error:
            self.problems.add(node.origin, key, str(error))
            return INVALID
        return self.values[key]

    def _unknown(self, name: str, node: Node, section: str, known: list[str]) -> None:
        """Notes a key that no field has, unless it is one of PaddleClas's and asks for nothing."""
        key = join(section, name)
        unused = self.legacy.key(key)
        if unused is None:
            self.problems.add_unknown_key(node.origin, section, name, known)
        elif not unused.asks_for_nothing(node.plain()):
            self.problems.add(node.origin, key, unused.sentence)


def _stands_for_empty(node: Node, marks: tuple[Any, ...]) -> bool:
    """Whether a null is an empty text: a shell leaves only `KEY=` of `KEY=""`."""
    return node.value is None and any(
        isinstance(mark, ReadPath) and "" in mark.names for mark in marks
    )


def _bounded(path: str) -> str:
    """The path itself, if it is one that a file can have."""
    if len(path) > _LONGEST_PATH or "\0" in path:
        raise UserError(f"is {show(path)}, which cannot be a path; write another one")
    return path
