"""Checked configurations back to YAML, so that loading the text gives an equal configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

import yaml

from ppcls.config.paths import portable
from ppcls.untrusted.yaml_scalars import parse_scalar
from ppcls.utils.annotations import DICTS, LISTS, field_types
from ppcls.utils.fields import Component, Operation, ReadPath, is_union
from ppcls.utils.registry import Registry


class _Dumper(yaml.SafeDumper):
    """Quotes text that any version of YAML would read as something else; writes short lists in one line."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        tag = super().resolve(kind, value, implicit)
        text = "tag:yaml.org,2002:str"
        # Numbers to YAML 1.2 and text to 1.1, such as 1e-4: no tag of 1.1 stands for them, and this one forces quotes.
        if (
            kind is yaml.ScalarNode
            and implicit[0]
            and tag == text
            and not isinstance(parse_scalar(value), str)
        ):
            return "quoted"
        return tag

    def represent_items(self, items: Any) -> Any:
        """A list in one line if it holds plain values only."""
        in_one_line = not any(isinstance(item, (dict, list, tuple)) for item in items)
        return self.represent_sequence(
            "tag:yaml.org,2002:seq", items, flow_style=in_one_line
        )

    def represent_text(self, text: str) -> Any:
        """Escapes Unicode's own line breaks, which PyYAML would write as they are and read as spaces."""
        has_breaks = any(char in "\x85\u2028\u2029" for char in text)
        return self.represent_scalar(
            "tag:yaml.org,2002:str", text, style='"' if has_breaks else None
        )

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indents the items of a list under its key."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(list, _Dumper.represent_items)
_Dumper.add_representer(str, _Dumper.represent_text)


def to_yaml(config: Any, registries: Mapping[str, Registry]) -> str:
    """The text of a configuration whose sections are dataclasses, with every key written out."""
    return dump(to_plain(config, registries))


def dump(plain: Any) -> str:
    """The text of dicts, lists and scalars, by the rules that `read_yaml` reads it with."""
    return yaml.dump(
        plain,
        Dumper=_Dumper,
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
    origin, args = get_origin(annotation), get_args(annotation)
    if value is None:
        return None
    if origin is Annotated:
        return _marked(args, value, registries)
    if is_union(annotation):
        return _plain(_fitting(args, value), value, registries)
    if origin in LISTS:
        kinds = (
            [args[0]] * len(value) if len(args) == 1 or args[-1] is Ellipsis else args
        )
        return [_plain(kind, item, registries) for kind, item in zip(kinds, value)]
    if origin in DICTS:
        return {
            str(key): _plain(args[1], item, registries) for key, item in value.items()
        }
    if dataclasses.is_dataclass(value):
        cls: Any = type(value)
        return {
            key: _plain(kind, getattr(value, key), registries)
            for key, kind in field_types(cls).items()
        }
    return value


def _fitting(args: Any, value: Any) -> Any:
    """The alternative of a union that a value came from, as far as the way of writing it depends on that."""
    is_list = isinstance(value, (list, tuple))
    plain_args = [
        get_args(arg)[0] if get_origin(arg) is Annotated else arg for arg in args
    ]
    for arg, plain in zip(args, plain_args):
        if is_list == (get_origin(plain) in LISTS) and plain is not type(None):
            return arg
    return Any


def _marked(args: Any, value: Any, registries: Mapping[str, Registry]) -> Any:
    for mark in args[1:]:
        if isinstance(mark, (Component, Operation)):
            name = _name(registries[mark.kind], type(value))
            # With the name, where a class has several and keeps its own
            keys = _plain(type(value), value, registries)
            return (
                {"name": name, **keys} if isinstance(mark, Component) else {name: keys}
            )
        if isinstance(mark, ReadPath):
            return portable(value)
    return _plain(args[0], value, registries)


def _name(registry: Registry, cls: type) -> str:
    """The first name that a class is registered by."""
    return next(name for name in registry if registry[name] is cls)
