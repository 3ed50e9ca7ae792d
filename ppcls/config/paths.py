"""Paths that a configuration names: the packaged ones, and whether a command can read the others."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import ppcls
from ppcls.untrusted.weights_paths import (
    LATEST,
    WEIGHTS_STEM,
    WEIGHTS_SUFFIXES,
    weights_file,
)
from ppcls.untrusted.yaml_nodes import Origin
from ppcls.utils.errors import UserError, suggest
from ppcls.utils.files import beside

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
