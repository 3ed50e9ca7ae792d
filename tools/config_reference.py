"""Writes docs/config_reference.md: every key of a configuration with its type, default and meaning, from the schema."""

from __future__ import annotations

import dataclasses
import inspect
import os.path
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from ppcls.config import Config, DeployConfig
from ppcls.engine.schema import registries
from ppcls.utils.fields import (
    Component,
    Operation,
    Range,
    ReadPath,
    UserPath,
    field_types,
    is_union,
)

PAGE = Path(__file__).resolve().parents[1] / "docs" / "config_reference.md"
_HEAD = """# Every key of a configuration

Written by `tools/config_reference.py` from the schema; a test compares them. `ppcls config -c FILE` prints a file with
every key filled in.

"""
_KINDS = {
    "backbone": "Models (`Arch`)",
    "dataset": "Datasets (`DataLoader.*.dataset`)",
    "transform": "Transforms (`transform_ops`)",
    "batch transform": "Transforms of batches (`batch_transform_ops`)",
    "sampler": "Samplers (`DataLoader.*.sampler`)",
    "postprocess": "Answers (`Infer.PostProcess`)",
    "loss": "Losses (`Loss`)",
    "metric": "Metrics (`Metric`)",
    "optimizer": "Optimizers (`Optimizer`)",
    "schedule": "Learning rates (`Optimizer.lr`)",
    "regularizer": "Regularizers (`Optimizer.regularizer`)",
}
_WORDS = {
    "str": "text",
    "int": "integer",
    "float": "number",
    "bool": "`true` or `false`",
    "NoneType": "`null`",
    "Any": "any value",
}
# Names of alternatives beyond which the rest is counted
_NAMES = 3
_REQUIRED = "**required**"


def reference() -> str:
    """Return the page."""
    parts = [_HEAD, "## Sections\n\n"]
    parts += _sections(Config, "")
    for kind, registry in registries().items():
        parts.append(f"## {_KINDS[kind]}\n\n")
        classes: dict[type, list[str]] = {}
        for name in registry:
            classes.setdefault(registry[name], []).append(name)
        for cls, names in classes.items():
            parts.append(_component(cls, names))
    parts.append("## The deployment configuration\n\n")
    parts += _sections(DeployConfig, "")
    return "".join(parts)


def _sections(cls: type, prefix: str) -> Iterator[str]:
    """The sections within a section, each with its keys."""
    for name, annotation in field_types(cls).items():
        section = _section_of(annotation)
        if section is not None:
            yield f"### {prefix}{name}\n\n{_summary(section)}\n\n{_table(section)}"
            yield from _sections(section, f"{prefix}{name}.")


def _section_of(annotation: Any) -> type | None:
    """The dataclass that an annotation is, or is if not null."""
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and dataclasses.is_dataclass(one):
            return one
    return None


def _component(cls: type, names: list[str]) -> str:
    title = ", ".join(names[:_NAMES])
    if len(names) > _NAMES:
        title = f"{names[0]} and {len(names) - 1} more"
    listed = ""
    if len(names) > 1:
        listed = ", ".join(f"`{name}`" for name in names) + "\n\n"
    return f"### {title}\n\n{_summary(cls)}\n\n{listed}{_table(cls)}"


def _summary(cls: type) -> str:
    """The first paragraph of a docstring."""
    return " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())


def _table(cls: type) -> str:
    """The keys of a section or component; a section without any has no table."""
    meanings = meanings_of(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    rows = []
    for name, annotation in field_types(cls).items():
        default = _default(fields[name], annotation)
        cells = [f"`{name}`", type_text(annotation), default, meanings.get(name, "")]
        rows.append(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
        )
    if not rows:
        return "It has no keys.\n\n"
    return (
        "| Key | Type | Default | Meaning |\n| --- | --- | --- | --- |\n"
        + "".join(rows)
        + "\n"
    )


def meanings_of(cls: type) -> dict[str, str]:
    """Return what the docstrings of a class and of those that it inherits from say of its keys."""
    found: dict[str, str] = {}
    for parent in reversed(cls.__mro__):
        text = inspect.cleandoc(parent.__doc__ or "")
        for block in re.findall(
            r"^(?:Args|Attributes):\n((?:(?: {4}.*)?\n?)*)", text, re.MULTILINE
        ):
            entries = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", block, re.MULTILINE)
            found |= {name: " ".join(meaning.split()) for name, meaning in entries}
    for name, annotation in field_types(cls).items():
        section = _section_of(annotation)
        component = _mark_of(annotation)
        if section is not None:
            found.setdefault(name, _summary(section))
        elif component is not None:
            found.setdefault(name, f"a {component}, see below")
    return found


def _mark_of(annotation: Any) -> str | None:
    """The kind of the component that a key holds, or holds a list of."""
    for one in (annotation, *get_args(annotation)):
        for mark in getattr(one, "__metadata__", ()):
            if isinstance(mark, (Component, Operation)):
                return mark.kind
    return None


def type_text(annotation: Any) -> str:
    """Return an annotation in words: `integer of at least 1`, `list of 3 numbers`, `` `O1` or `O2` ``."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        kind = _mark_of(annotation)
        if kind is not None:
            return kind
        if any(isinstance(mark, (ReadPath, UserPath)) for mark in args[1:]):
            return "path"
        limits = [_limits(mark) for mark in args[1:] if isinstance(mark, Range)]
        return " ".join([type_text(args[0]), *limits])
    if is_union(annotation):
        return " or ".join(dict.fromkeys(type_text(arg) for arg in args))
    if origin is Literal:
        return ", ".join(f"`{_yaml(arg)}`" for arg in args)
    if origin in (tuple, list):
        inner = [arg for arg in args if arg is not Ellipsis]
        if len(inner) > 1:
            return f"list of {len(inner)}: {', '.join(dict.fromkeys(map(type_text, inner)))}"
        return f"list of {type_text(inner[0])}" if inner else "list"
    section = _section_of(annotation)
    if section is not None:
        return "section"
    name = getattr(annotation, "__name__", str(annotation))
    return _WORDS.get(name, "mapping" if name in ("dict", "Mapping") else name)


def _limits(bounds: Range) -> str:
    """`of at least 0 and below 1`."""
    words = {
        "low": "of at least",
        "above": "above",
        "high": "at most",
        "below": "below",
    }
    given = []
    for name, text in words.items():
        limit = getattr(bounds, name)
        if limit is not None:
            given.append(f"{text} {limit:g}")
    return " and ".join(given)


def _default(field: Any, annotation: Any) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return f"`{_yaml(field.default_factory())}`"
    if field.default is dataclasses.MISSING:
        return _REQUIRED
    if dataclasses.is_dataclass(field.default):
        return "that of each key"
    return f"`{_yaml(field.default)}`"


def _yaml(value: Any) -> str:
    """A plain value as YAML writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_yaml, value))}]"
    return "''" if value == "" else str(value)


def main() -> None:
    """Write the page."""
    PAGE.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
