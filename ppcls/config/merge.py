"""`base:` inheritance: what a file leaves out comes from the files that it names."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ppcls.config.find import find_base
from ppcls.untrusted.yaml_nodes import Node, Origin, Problems
from ppcls.untrusted.yaml_reader import read_yaml


def read_tree(
    file: Path,
    problems: Problems,
    origin: Origin | None = None,
    path: tuple[Path, ...] = (),
) -> Node | None:
    """The mapping of a file, merged over its bases; None (and a problem) if it or a base cannot be read.

    Args:
        file: the YAML file.
        problems: takes what is wrong.
        origin: where `base` names the file.
        path: the files that led here by their `base`.
    """
    root = _read_file(file, problems, origin or Origin(str(file)))
    if root is None:
        return None
    bases = _bases(root, problems)
    tree: Node | None = Node({}, root.origin)
    for base in bases or ():
        parent = find_base(base.value, file.parent)
        if parent.resolve() in (
            *(earlier.resolve() for earlier in path),
            file.resolve(),
        ):
            circle = " -> ".join(map(str, (*path, file, parent)))
            problems.add(
                base.origin, "base", f"goes in a circle ({circle}); remove one of them"
            )
            return None
        inherited = read_tree(parent, problems, base.origin, (*path, file))
        tree = merge(tree, inherited) if tree and inherited else None
    return merge(tree, root) if tree and bases is not None else None


def merge(under: Node, over: Node) -> Node:
    """`over` laid upon `under`: mappings merge; all else, and a component of another name, is replaced whole."""
    if not (
        isinstance(under.value, dict) and isinstance(over.value, dict)
    ) or _is_other_component(under, over):
        return over
    merged = dict(under.value)
    for key, node in over.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return Node(merged, over.origin)


def _is_other_component(under: Node, over: Node) -> bool:
    names = [node.value["name"].value for node in (under, over) if "name" in node.value]
    return len(names) == 2 and names[0] != names[1]


def _read_file(file: Path, problems: Problems, named_at: Origin) -> Node | None:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        key = "base" if named_at.line else ""
        problems.add(
            named_at,
            key,
            f"cannot read {file} ({error.strerror}); write the path of a YAML file",
        )
        return None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problems.add(
            Origin(str(file), line), "", "is not UTF-8 text; save the file as UTF-8"
        )
        return None
    root = read_yaml(text, partial(Origin, str(file)), problems)
    if root is not None and not isinstance(root.value, dict):
        problems.add(
            root.origin,
            "",
            "is no mapping of sections; write `Global:` and the other sections",
        )
        return None
    return root


def _bases(root: Node, problems: Problems) -> tuple[Node, ...] | None:
    """The nodes of `base`, taken out of the mapping; None if they are no paths."""
    node = root.value.pop("base", None)
    if node is None:
        return ()
    items = node.value if isinstance(node.value, list) else [node]
    if all(isinstance(item.value, str) for item in items):
        return tuple(items)
    problems.add(
        node.origin,
        "base",
        "is no path; write a path relative to this file, a shipped name, or a list of them",
    )
    return None
