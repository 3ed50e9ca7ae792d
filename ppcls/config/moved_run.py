"""The configuration of a run whose folder has been moved since it was written."""

from __future__ import annotations

import os.path
from collections.abc import Iterator
from pathlib import Path, PurePath

from ppcls.untrusted.yaml_nodes import Node, find
from ppcls.utils.files import resolved


def follow(root: Node, file: Path) -> str | None:
    """Take files of a run from beside its configuration, where that has been moved with them.

    A run's `finetune.yaml` names the lists beside it from the root of the file system. Once the folder has another
    name, what lies there is missing, or belongs to a newer run.

    Args:
        root: The configuration as its file has it; changed in place.
        file: Its path.

    Returns:
        A line about what is taken from beside the file, or None.
    """
    run = _run_of(root)
    if run is None:
        return None
    names = []
    for node in _texts(root):
        rest = _within(node.value, run)
        # Unlike pathlib this answers for a name that no file can have
        if rest is None or not os.path.exists(file.parent / rest):  # noqa: PTH110
            continue
        # Links stay as they are
        now = os.path.abspath(file.parent / rest)  # noqa: PTH100
        if resolved(now) != resolved(node.value):
            node.value = now
            names.append(rest)
    if not names:
        return None
    return f"{file}: its run has been moved; {', '.join(sorted(set(names)))} are taken from beside it"


def _run_of(root: Node) -> str | None:
    """The run's folder as the configuration writes it: `output/DLA34`."""
    output = _text(root, "Global.output_dir")
    name = _text(root, "Arch.name")
    if not output or not name:
        return None
    return (PurePath(output) / name).as_posix()


def _within(path: str, run: str) -> str | None:
    """What follows the run's folder in a path from the root of the file system; None if it does not lie there."""
    if not PurePath(path).is_absolute():
        return None
    if PurePath(run).is_absolute():
        if path.startswith(f"{run}/"):
            return path[len(run) + 1 :]
        return None
    _, mark, rest = path.rpartition(f"/{run}/")
    return rest if mark else None


def _text(root: Node, key: str) -> str | None:
    """The value of a dotted key if it is text."""
    node, is_there = find(root, key)
    if not is_there or not isinstance(node.value, str):
        return None
    return node.value


def _texts(node: Node) -> Iterator[Node]:
    """Every text in a tree."""
    children: list[Node] = []
    if isinstance(node.value, str):
        yield node
    elif isinstance(node.value, dict):
        children = list(node.value.values())
    elif isinstance(node.value, list):
        children = node.value
    for child in children:
        yield from _texts(child)
