"""Checked configurations back to YAML, so that loading the text gives an equal configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

import yaml

from ppcls.config.paths import portable
from ppcls.untrusted.yaml_reader import TEXT_TAG, QuotingDumper
from ppcls.utils.fields import (
    DICTS,
    LISTS,
    Component,
    Operation,
    ReadPath,
    field_types,
    is_union,
    item_kinds,
    shapes_of,
)
from ppcls.utils.registry import Registry

_UNICODE_BREAKS = frozenset("\x85\u2028\u2029")


class _ConfigDumper(QuotingDumper):
    """Also writes short lists in one line, and escapes the line breaks of Unicode."""

    def represent_items(self, items: Any) -> Any:
        """Write a list in one line if it holds plain values only."""
        in_one_line = not any(isinstance(item, (dict, list, tuple)) for item in items)
        return self.represent_sequence(
            "tag:yaml.org,2002:seq", items, flow_style=in_one_line
        )

    def represent_text(self, text: str) -> Any:
        """Escape Unicode's own line breaks, which PyYAML would write as they are and read as spaces."""
        has_breaks = not _UNICODE_BREAKS.isdisjoint(text)
        return self.represent_scalar(TEXT_TAG, text, style='"' if has_breaks else None)

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent the items of a list under its key."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


_ConfigDumper.add_representer(list, _ConfigDumper.represent_items)
_ConfigDumper.add_representer(str, _ConfigDumper.represent_text)


def to_yaml(config: Any, registries: Mapping[str, Registry]) -> str:
    """The text of a configuration whose sections are dataclasses, with every key written out."""
    return dump(to_plain(config, registries))


def dump(plain: Any) -> str:
    """The text of dicts, lists and scalars, by the rules that `read_yaml` reads it with."""
    return yaml.dump(
        plain,
        Dumper=_ConfigDumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=1000,
    )


def to_plain(config: Any, registries: Mapping[str, Registry]) -> Any:
    """The same in dicts, lists and scalars."""
    return _plain(type(config), config, registries)


def _plain(annotation: Any, value: Any, registries: Mapping[str, Registry]) -> Any:
    """A value in dicts, lists and scalars, as its annotation has it written."""
    if value is None:
        return None
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _marked(args, value, registries)
    if is_union(annotation):
        return _plain(_fitting(args, value), value, registries)
    if origin in LISTS:
        kinds = item_kinds(annotation, len(value))
        return [_plain(kind, item, registries) for kind, item in zip(kinds, value)]
    if origin in DICTS:
        return {str(key): _plain(args[1], value[key], registries) for key in value}
    if dataclasses.is_dataclass(value):
        return _fields(value, registries)
    return value


def _fields(value: Any, registries: Mapping[str, Registry]) -> dict[str, Any]:
    """The keys of a dataclass."""
    cls: Any = type(value)
    fields = {}
    for key, kind in field_types(cls).items():
        fields[key] = _plain(kind, getattr(value, key), registries)
    return fields


def _fitting(args: Any, value: Any) -> Any:
    """The alternative of a union that a value came from, as far as the way of writing it depends on that."""
    is_list = isinstance(value, (list, tuple))
    for arg in args:
        takes_list = shapes_of(arg) == {"list"}
        if arg is not type(None) and takes_list == is_list:
            return arg
    return Any


def _marked(args: Any, value: Any, registries: Mapping[str, Registry]) -> Any:
    """A value whose annotation is `Annotated`: a component, an operation, a path, or a number with bounds."""
    for mark in args[1:]:
        if isinstance(mark, ReadPath):
            return portable(value)
        if isinstance(mark, Component):
            name = _name(registries[mark.kind], type(value))
            # A class that is registered by several names has its own in a field, which goes before the first one
            return {"name": name, **_fields(value, registries)}
        if isinstance(mark, Operation):
            name = _name(registries[mark.kind], type(value))
            return {name: _fields(value, registries)}
    return _plain(args[0], value, registries)


def _name(registry: Registry, cls: type) -> str:
    """The first name that a class is registered by."""
    return next(name for name in registry if registry[name] is cls)
