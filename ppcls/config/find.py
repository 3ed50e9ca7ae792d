"""Where a configuration is: at a path, among those that come with the library, or in a run whose folder was moved."""

from __future__ import annotations

import os
import os.path
from collections.abc import Iterator
from pathlib import Path, PurePath

import ppcls
from ppcls.untrusted.yaml_nodes import Node, find
from ppcls.utils.errors import UserError, shortened, suggest
from ppcls.utils.files import expanded, is_file, resolved

_PACKAGE = Path(ppcls.__file__).resolve().parent
# First where a wheel has them, then where a checkout has them.
_TRAINING = (_PACKAGE / "configs", _PACKAGE.parent / "configs")
_DEPLOYMENT = (_PACKAGE / "deploy_configs", _PACKAGE.parent / "deploy" / "configs")
# What may stand before `DLA/DLA60.yaml` in the paths of a checkout, of PaddleClas, and of its deploy folder.
_PREFIXES = (("ppcls", "configs"), ("deploy", "configs"), ("configs",), ("ImageNet",))


def find_config(name: object) -> Path:
    """The file of a training configuration.

    Args:
        name: a path; or a shipped configuration by its name (`DLA60`), its path (`DLA/DLA60.yaml`,
            `configs/DLA/DLA60.yaml`), or the path it has in PaddleClas (`ppcls/configs/ImageNet/DLA/DLA60.yaml`).

    Raises:
        UserError: there is no such file; the near names are given.
    """
    return _find(expanded(str(name)), _TRAINING)


def find_deploy_config(name: object) -> Path:
    """The file of a deployment configuration, by the same rules: `inference_cls`, `deploy/configs/inference_cls.yaml`.

    Raises:
        UserError: there is no such file.
    """
    return _find(expanded(str(name)), _DEPLOYMENT)


def find_base(name: str, folder: Path) -> Path:
    """The file that `base: name` means in a file of `folder`: relative to it, or a shipped configuration or recipe."""
    path = Path(os.path.normpath(folder / expanded(name)))
    if is_file(path):
        return path
    return _match(name, dict(_shipped(_TRAINING, recipes=True))) or path


def shipped_configs() -> dict[str, Path]:
    """The training configurations that come with the library, by name."""
    return dict(_shipped(_TRAINING))


def _shipped(
    folders: tuple[Path, ...], recipes: bool = False
) -> Iterator[tuple[str, Path]]:
    """The name and the file of each configuration in the first of the folders that is ours."""
    folder = next(filter(_is_ours, folders), None)
    if folder is None:
        return
    for file in sorted(folder.rglob("*.yaml")):
        if recipes or "_base_" not in file.parts:
            yield file.stem, _from_here(file)


def _is_ours(folder: Path) -> bool:
    """Whether a folder is in the package or in a checkout; beside an installed package another `configs` may stand."""
    if not folder.is_dir():
        return False
    return folder.parent == _PACKAGE or (_PACKAGE.parent / "pyproject.toml").is_file()


def _from_here(file: Path) -> Path:
    """The path relative to the working directory if the file is in it, for shorter messages."""
    here = Path.cwd()
    if here in file.parents:
        return file.relative_to(here)
    return file


def _find(name: str, folders: tuple[Path, ...]) -> Path:
    path = Path(name)
    if is_file(path):
        return path
    if os.path.isdir(path):  # noqa: PTH112 (pathlib raises an error for names that are too long)
        raise UserError(f"{name} is a folder; give one YAML file in it")
    name = shortened(name, 300)
    known = dict(_shipped(folders))
    file = _match(name, known)
    if file is not None:
        return file
    hint = suggest(path.stem, known)
    if not hint and known:
        hint = f"; shipped are {', '.join(known)}"
    raise UserError(
        f"there is no configuration {name}{hint}; give a path or the name of a shipped one"
    )


def _match(name: str, known: dict[str, Path]) -> Path | None:
    """The shipped file that a name or path means, if any."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        path = path.with_suffix("")
    parts = path.parts
    for prefix in _PREFIXES:
        if parts[: len(prefix)] == prefix:
            parts = parts[len(prefix) :]
    if not parts or parts[-1] not in known:
        return None
    file = known[parts[-1]]
    if file.with_suffix("").parts[-len(parts) :] != parts:
        return None
    return file


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
