"""The order in which the checkpoints at a path are tried."""

from __future__ import annotations

from pathlib import Path

from ppcls.engine.states import (
    OPTIMIZER,
    OTHER,
    PARAMS,
    STATES,
    DamagedStates,
    read_states,
)
from ppcls.untrusted.weights_paths import LATEST, WEIGHTS_STEM
from ppcls.utils.files import beside


def candidates(path: Path) -> list[Path]:
    """List the folders to try, the newest first; a complete `.new` is newer than the folder it was to replace."""
    folder = path
    if path.name in (WEIGHTS_STEM, PARAMS, OTHER, OPTIMIZER, STATES):
        folder = path.parent
    trio = [beside(folder, "new"), folder, beside(folder, "old")]
    existing = list(filter(_has_states, trio))
    if existing or not folder.is_dir():
        return existing
    latest = candidates(folder / LATEST)
    # Without its states, which `read` reports
    if not latest and (folder / LATEST).is_dir():
        latest = [folder / LATEST]
    others = [
        child for child in filter(_has_states, folder.iterdir()) if child not in latest
    ]
    return [*latest, *sorted(others, key=_position, reverse=True)]


def _has_states(folder: Path) -> bool:
    return (folder / STATES).is_file()


def _position(folder: Path) -> tuple[int, int]:
    """The epoch and step in a states file; nothing else is verified."""
    try:
        states = read_states(folder / STATES)
        return states["epoch"], states["step"]
    # Not a states file of this library, so it is tried last
    except (OSError, DamagedStates, KeyError):
        return -1, -1
