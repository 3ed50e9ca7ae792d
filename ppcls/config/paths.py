"""Paths that a configuration names: the packaged ones, and whether a command can read the others."""

from __future__ import annotations

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
    return next((name for name, file in _PACKAGED.items() if path == str(file)), path)


def absolute(use: PathUse) -> str:
    """The path from the root of the file system, if it exists; a name of something else is returned unchanged."""
    # A text, links kept
    return use.path if what_is_wrong(use) else os.path.abspath(use.path)  # noqa: PTH100


def what_is_wrong(use: PathUse) -> str | None:
    """The sentence for a path that cannot be read; None if it can."""
    if use.what == "checkpoint":
        weights = _paddleclas_weights(use.path)
        if weights is not None:
            return (
                f"{use.path}: a checkpoint of PaddleClas, whose optimizer state is not read; to start a training with "
                f"its weights leave Global.checkpoints out and write Global.pretrained_model={weights}"
            )
        sentence = f"{use.path}: no checkpoint there; give the folder of a run or of a checkpoint"
        return None if _has_checkpoint(use.path) else sentence
    try:
        if use.what == "weights":
            weights_file(use.path)
            return None
        if (
            use.what == "pictures"
            and glob.has_magic(use.path)
            and not os.path.lexists(use.path)
        ):
            # Pathlib has no absolute patterns
            matches = any(glob.iglob(use.path, recursive=True))  # noqa: PTH207
            return None if matches else f"no file matches the pattern {use.path!r}"
        there = _TESTS[use.what](Path(use.path))
        readable = there and os.access(use.path, os.R_OK)
    except UserError as error:
        return f"{error}{suggest(use.path, use.names)}"
    except (OSError, ValueError):  # a name that no file can have
        there = readable = False
    if not there:
        return f"there is no {_WORDS[use.what]} {use.path!r}; write the path of one, relative to the working directory"
    return None if readable else f"{use.path!r} may not be read; change its permissions"


def _paddleclas_weights(path: str) -> Path | None:
    """The weights of the PaddleClas checkpoint that a path means; None if there are none.

    PaddleClas writes `latest.pdparams`, `.pdopt` and `.pdstates` side by side, or since 2.0 under our names; its states
    are a pickle, and ours are JSON.
    """
    given = Path(path).absolute()
    if given.suffix in WEIGHTS_SUFFIXES:
        given = given.with_suffix("")
    for stem in (
        given,
        given / LATEST,
        given / WEIGHTS_STEM,
        given / LATEST / WEIGHTS_STEM,
    ):
        weights, optimizer, states = (
            Path(f"{stem}{suffix}") for suffix in WEIGHTS_SUFFIXES
        )
        try:
            if not weights.is_file():
                continue
            foreign_states = states.is_file() and states.read_bytes()[:1] == b"\x80"
            if foreign_states or (stem.name != WEIGHTS_STEM and optimizer.is_file()):
                return Path(os.path.relpath(weights))
        # A name that no file can have, or one that may not be read
        except (OSError, ValueError):
            continue
    return None


def _has_checkpoint(path: str) -> bool:
    """Whether a checkpoint is there; that its bytes are those that were saved, the engine sees to."""
    given = Path(path).absolute()  # `.` has no name to find neighbours by
    folder = given.parent if given.name in _CHECKPOINT_FILES else given
    # A process that is killed between two renames leaves the checkpoint under a neighbour's name.
    folders = [
        folder,
        *(beside(folder, what) for what in ("new", "old") if folder.name),
    ]
    try:
        if folder.is_dir():
            folders += folder.iterdir()
        return any((candidate / _STATES).is_file() for candidate in folders)
    # A name that no file can have, or a folder that may not be read
    except (OSError, ValueError):
        return False
