"""Where a configuration is, and where what it names is.

A configuration is at a path, among those that come with the library, or in a run whose folder was moved. Paths in it
may be those of packaged files, and a command checks whether it can read the others.
"""

from __future__ import annotations

import contextlib
import glob
import os
import os.path
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import ppcls
from ppcls.untrusted.weights_paths import (
    LATEST,
    WEIGHTS_STEM,
    WEIGHTS_SUFFIXES,
    weights_file,
)
from ppcls.untrusted.yaml_nodes import Node, Origin, find
from ppcls.utils.errors import UserError, shortened, suggest
from ppcls.utils.files import beside, expanded, is_file, resolved

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
        UserError: The file does not exist; the message suggests similar names.
    """
    return _find(expanded(str(name)), _TRAINING)


def find_deploy_config(name: object) -> Path:
    """The file of a deployment configuration, by the same rules: `inference_cls`, `deploy/configs/inference_cls.yaml`.

    Raises:
        UserError: The file does not exist.
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


_LABELS = Path(ppcls.__file__).resolve().parent / "data" / "imagenet1k_labels.txt"
# The first is the name that a saved configuration gets, since a package lies elsewhere on every machine.
_PACKAGED = {
    "ppcls/data/imagenet1k_labels.txt": _LABELS,
    "ppcls/utils/imagenet1k_label_list.txt": _LABELS,
}
_TESTS = {
    "file": Path.is_file,
    "dir": Path.is_dir,
    "either": Path.exists,
    "pictures": Path.exists,
}
_WORDS = {
    "file": "file",
    "dir": "folder",
    "either": "file or folder",
    "pictures": "file or folder",
    "weights": "file of weights",
}
_CHECKPOINT_FILES = (
    WEIGHTS_STEM,
    *(WEIGHTS_STEM + suffix for suffix in WEIGHTS_SUFFIXES),
)
_STATES = _CHECKPOINT_FILES[-1]
_WEIGHTS_SUFFIX = WEIGHTS_SUFFIXES[0]


@dataclass(frozen=True)
class PathUse:
    """A path in a configuration, what has to be there if a command reads it, and names that may stand in its place."""

    key: str
    origin: Origin
    path: str
    what: str
    names: Collection[str] = ()


def locate(path: str) -> str:
    """The path of a packaged file that goes by a name of its own; any other path as it is."""
    for name, file in _PACKAGED.items():
        if path.endswith(name) and not os.path.lexists(path):
            return str(file)
    return path


def portable(path: str) -> str:
    """The name by which `locate` finds a packaged file; any other path as it is."""
    for name, file in _PACKAGED.items():
        if path == str(file):
            return name
    return path


def absolute(use: PathUse) -> str:
    """The path from the root of the file system, if it exists; a name of something else is returned unchanged."""
    if what_is_wrong(use) is not None:
        return use.path
    # A text, links kept
    return os.path.abspath(use.path)  # noqa: PTH100


def what_is_wrong(use: PathUse) -> str | None:
    """The sentence for a path that cannot be read; None if it can."""
    return _PROBLEMS.get(use.what, _problem_of_place)(use)


def _problem_of_place(use: PathUse) -> str | None:
    path = Path(use.path)
    is_there = False
    with contextlib.suppress(OSError, ValueError):  # a name that no file can have
        is_there = _TESTS[use.what](path)
    if not is_there:
        return None if use.path in use.names else _missing(use)
    if not os.access(path, os.R_OK):
        return f"{use.path!r} may not be read; change its permissions"
    return None


def _missing(use: PathUse) -> str:
    what = _WORDS[use.what]
    if use.what == "either" and use.names:
        return (
            f"{use.path!r} is neither a path nor the name of a published model{suggest(use.path, use.names)}; write "
            "the path of a bundle, or a name that `ppcls models` lists with weights"
        )
    return f"there is no {what} {use.path!r}; write the path of one, relative to the working directory"


def _problem_of_checkpoint(use: PathUse) -> str | None:
    path = use.path
    weights = _paddleclas_weights(path)
    if weights is not None:
        return (
            f"{path}: a checkpoint of PaddleClas, whose optimizer state is not read; to start a training with "
            f"its weights leave Global.checkpoints out and write Global.pretrained_model={weights}"
        )
    if _has_checkpoint(path):
        return None
    return f"{path}: no checkpoint there; give the folder of a run or of a checkpoint"


def _problem_of_weights(use: PathUse) -> str | None:
    try:
        weights_file(use.path)
    except UserError as error:
        return f"{error}{suggest(use.path, use.names)}"
    except (OSError, ValueError):  # a name that no file can have
        return _missing(use)
    return None


def _problem_of_pictures(use: PathUse) -> str | None:
    # A file may have the name of a pattern such as `photos/*.jpg`
    if not glob.has_magic(use.path) or os.path.lexists(use.path):
        return _problem_of_place(use)
    # Pathlib has no absolute patterns
    if any(glob.iglob(use.path, recursive=True)):  # noqa: PTH207
        return None
    return f"no file matches the pattern {use.path!r}"


def _paddleclas_weights(path: str) -> Path | None:
    """The weights of the PaddleClas checkpoint at a path; None if there is none.

    PaddleClas writes `latest.pdparams`, `.pdopt` and `.pdstates` side by side, or since 2.0 under our names.
    """
    given = Path(path).absolute()
    if given.suffix in WEIGHTS_SUFFIXES:
        given = given.with_suffix("")
    places = ("", LATEST, WEIGHTS_STEM, f"{LATEST}/{WEIGHTS_STEM}")
    for place in places:
        stem = given / place
        try:
            if _is_of_paddleclas(stem):
                return Path(os.path.relpath(f"{stem}{_WEIGHTS_SUFFIX}"))
        # A name that no file can have, or one that may not be read
        except (OSError, ValueError):
            continue
    return None


def _is_of_paddleclas(stem: Path) -> bool:
    """Whether the checkpoint files with this stem are PaddleClas's: its states are a pickle, and ours are JSON."""
    weights, optimizer, states = (
        Path(f"{stem}{suffix}") for suffix in WEIGHTS_SUFFIXES
    )
    if not weights.is_file():
        return False
    if states.is_file():
        with states.open("rb") as file:
            if file.read(1) == b"\x80":
                return True
    return stem.name != WEIGHTS_STEM and optimizer.is_file()


def _has_checkpoint(path: str) -> bool:
    """Whether a checkpoint is at a path. The engine verifies its contents when it loads it."""
    folder = Path(path).absolute()  # `.` has no name to find neighbours by
    if folder.name in _CHECKPOINT_FILES:
        folder = folder.parent
    candidates = [folder]
    if folder.name:
        # A process that is killed between two renames leaves the checkpoint under a neighbour's name.
        candidates += [beside(folder, "new"), beside(folder, "old")]
    try:
        if folder.is_dir():
            candidates += folder.iterdir()
        return any((candidate / _STATES).is_file() for candidate in candidates)
    # A name that no file can have, or a folder that may not be read
    except (OSError, ValueError):
        return False


_PROBLEMS = {
    "checkpoint": _problem_of_checkpoint,
    "weights": _problem_of_weights,
    "pictures": _problem_of_pictures,
}
