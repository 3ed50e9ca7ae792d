"""Paths of weights files and checkpoints, of this library and of PaddleClas."""

from __future__ import annotations

from pathlib import Path

from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike, expanded

WEIGHTS_STEM = "ppcls"
# Folders of a run that hold checkpoints
BEST_MODEL, LATEST = "best_model", "latest"
WEIGHTS_SUFFIXES = (".pdparams", ".pdopt", ".pdstates")


def weights_file(path: PathLike) -> Path:
    """Return the weights file that a path means: the file itself, or the `.pdparams` of a checkpoint.

    Args:
        path: A file; its path without `.pdparams`; the folder of a checkpoint, or another file in it; or the folder of
            a run, of this library or of PaddleClas, which means its best model, or its latest checkpoint if no
            evaluation chose one.

    Raises:
        UserError: Nothing is there.
    """
    given = Path(expanded(path))
    if given.is_file() and given.suffix not in WEIGHTS_SUFFIXES[1:]:
        return given
    for stem in _stems(given):
        file = stem.with_name(stem.name + WEIGHTS_SUFFIXES[0])
        if file.is_file():
            return file
    raise UserError(
        f"{given}: no weights there; give a file of weights, its path without .pdparams (.../{WEIGHTS_STEM}), or the "
        "folder of a checkpoint or of a run"
    )


def _stems(given: Path) -> list[Path]:
    """Return the paths without `.pdparams` that a user may mean, in the order in which they are tried."""
    stems = [given / WEIGHTS_STEM]
    # A folder of ours; PaddleClas writes `best_model.pdparams`
    for name in (BEST_MODEL, LATEST):
        stems += [given / name / WEIGHTS_STEM, given / name]
    if given.name:
        stems.append(given)
    if given.suffix in WEIGHTS_SUFFIXES:
        stems.append(given.with_suffix(""))
    return stems
