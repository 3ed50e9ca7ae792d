"""`base:` inheritance: what a file leaves out comes from the files that it names."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ppcls.config.paths import find_base
from ppcls.untrusted.yaml_nodes import Node, Origin, Problems
from ppcls.untrusted.yaml_reader import read_yaml
from ppcls.utils.errors import UserError
from ppcls.utils.files import read_regular_file

# The shipped configurations have a few kilobytes and up to seven bases.
_LARGEST = 10_000_000
_MAX_FILES = 50


def read_tree(file: Path, problems: Problems) -> Node | None:
    """Read a file and merge it over its bases.

    Args:
        file: the YAML file.
        problems: collects what is wrong.

    Returns:
        The mapping; None (and a problem) if the file or a base cannot be read.
    """
    return _Tree(problems).read(file, Origin(str(file)), ())


def read_mapping(
    mapping: Mapping[str, Any], source: str, problems: Problems
) -> Node | None:
    """Merge a mapping over its bases, whose paths are relative to the working directory.

    Args:
        mapping: Sections as a file has them: numbers, texts, paths, lists and mappings.
        source: What messages call it.
        problems: collects what is wrong.

    Raises:
        UserError: it holds an object of another type.
    """
    try:
        text = json.dumps(mapping, ensure_ascii=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{source} cannot be a configuration ({error}); write numbers, texts, paths, lists and mappings"
        ) from error
    root = read_yaml(text, lambda line: Origin(source), problems)
    if root is None:
        return None
    return _Tree(problems).over_bases(root, Path(), ())


def _plain(value: object) -> object:
    """A path as text, and a number of NumPy as one of Python."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    item = getattr(value, "item", None)
    if callable(item):
        return item()
    raise TypeError(f"{value!r} is of type {type(value).__name__}")


class _Tree:
    """Reads one configuration and its bases, a limited number of files in all.

    Attributes:
        files: how many were read so far.
    """

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.files = 0

    def read(self, file: Path, named_at: Origin, path: tuple[Path, ...]) -> Node | None:
        """As `read_tree`; `path` are the files that led here by their `base`, the last one at `named_at`."""
        if _real(file) in map(_real, path):
            circle = " -> ".join(map(str, (*path, file)))
            text = f"goes in a circle ({circle}); remove one of them"
            self.problems.add(named_at, "base", text)
            return None
        self._count_file(named_at)
        root = _read_file(file, self.problems, named_at)
        if root is None:
            return None
        return self.over_bases(root, file.parent, (*path, file))

    def over_bases(
        self, root: Node, folder: Path, path: tuple[Path, ...]
    ) -> Node | None:
        """Merge a mapping over its bases, whose paths are relative to `folder`; `path` as for `read`."""
        bases = _bases(root, self.problems)
        if bases is None:
            return None
        # All bases are read, so that the problems of all are reported
        trees = []
        for base in bases:
            parent = find_base(base.value, folder)
            trees.append(self.read(parent, base.origin, path))
        merged = Node({}, root.origin)
        for tree in trees:
            if tree is None:
                return None
            merged = merge(merged, tree)
        return merge(merged, root)

    def _count_file(self, named_at: Origin) -> None:
        self.files += 1
        if self.files > _MAX_FILES:
            text = f"leads to more than {_MAX_FILES} files; write fewer"
            self.problems.add(named_at, "base", text)
            self.problems.raise_if_any()


def _real(file: Path) -> str:
    """The path without links; unlike `Path.resolve` it accepts links that go in a circle."""
    return os.path.realpath(file)


def merge(under: Node, over: Node) -> Node:
    """Merge `over` over `under`: key by key for mappings; `over` replaces a component of another name, or any value."""
    if not isinstance(under.value, dict) or not isinstance(over.value, dict):
        return over
    if _is_other_component(under.value, over.value):
        return over
    merged = dict(under.value)
    for key, node in over.value.items():
        if key in merged:
            node = merge(merged[key], node)
        merged[key] = node
    return Node(merged, over.origin)


def _is_other_component(under: dict[str, Node], over: dict[str, Node]) -> bool:
    if "name" not in under or "name" not in over:
        return False
    differs: bool = under["name"].value != over["name"].value
    return differs


def _read_file(file: Path, problems: Problems, named_at: Origin) -> Node | None:
    try:
        text = read_regular_file(file, _LARGEST).decode("utf-8-sig")
    except OSError as error:
        key = "base" if named_at.line else ""
        text = f"cannot read {file} ({error.strerror}); write the path of a YAML file"
        problems.add(named_at, key, text)
        return None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problems.add(
            Origin(str(file), line), "", "is not UTF-8 text; save the file as UTF-8"
        )
        return None
    root = read_yaml(text, partial(Origin, str(file)), problems)
    if root is not None and not isinstance(root.value, dict):
        text = "is not a mapping of sections; write `Global:` and the other sections"
        problems.add(root.origin, "", text)
        return None
    return root


def _bases(root: Node, problems: Problems) -> tuple[Node, ...] | None:
    """Take the nodes of `base` out of the mapping; None (and a problem) if they are not paths."""
    node = root.value.pop("base", None)
    if node is None:
        return ()
    items = node.value if isinstance(node.value, list) else [node]
    if not all(_is_path(item.value) for item in items):
        text = "is not a path; write a path relative to this file, a shipped name, or a list of them"
        problems.add(node.origin, "base", text)
        return None
    return tuple(items)


def _is_path(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value
