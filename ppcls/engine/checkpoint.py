"""Checkpoints on disk: files in a folder, committed as one.

    output/DLA60/latest/ppcls.pdparams        the weights to evaluate and deploy, as `paddle.save` writes them
                        ppcls_other.pdparams  of weights and their moving average the one that is not deployed
                        ppcls.pdopt           optimizer state, by the parameters' structured names
                        ppcls.pdstates        JSON: digests of these, epoch, step, best metrics, meters, seed, threads

A folder is written aside as `.latest.new`, synced, and only then takes the place of the old one, which waits as
`.latest.old` until that is done. So at any moment at least one complete checkpoint is there, under one of the three
names; `read` finds it. Files of a user in the old folder move to the new one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.arch.weights.layouts import NAME_TABLE, RECORD
from ppcls.data.picture_files import read_file
from ppcls.engine.optimizer_state import MASTER, structured_state
from ppcls.engine.states import (
    OPTIMIZER,
    OTHER,
    PARAMS,
    SCHEMA,
    STATES,
    WEIGHTS,
    DamagedStates,
    read_states,
    require_keys,
)
from ppcls.untrusted.unpickle import load_pickle
from ppcls.untrusted.weights_paths import LATEST, WEIGHTS_STEM
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import beside, numbered, replace_folder, sha256_of

_TORN_STATES = f".{STATES}"
_FILES = (STATES, _TORN_STATES, *WEIGHTS)


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint: its folder and its states. The large files are read on request.

    `passed_over` describes what is wrong with each newer one.
    """

    folder: Path
    states: dict[str, Any]
    passed_over: Sequence[str] = ()

    @property
    def _average_is_deployed(self) -> bool:
        return self.states.get("deployed") == "average"

    @property
    def weights_file(self) -> Path:
        """The file of the weights that a resumed training continues with."""
        return self.folder / (OTHER if self._average_is_deployed else PARAMS)

    def parameters(self) -> dict[str, Any]:
        """The weights that a resumed training continues with, by structured name."""
        return _arrays(self.weights_file)

    def average(self) -> dict[str, Any]:
        """The weights' moving average, if the run has one."""
        return _arrays(self.folder / (PARAMS if self._average_is_deployed else OTHER))

    def optimizer(self) -> dict[str, Any]:
        """The optimizer's state: arrays by structured name and accumulator."""
        return _arrays(self.folder / OPTIMIZER)


@dataclass(frozen=True)
class Snapshot:
    """A copy of a run's state in memory.

    Attributes:
        weights: arrays by structured name.
        optimizer: arrays by structured name and accumulator.
        states: the content of the states file.
        average: the weights' moving average, if there is one.
        deployed: which of the two `ppcls.pdparams` holds, for evaluation and export: `weights` or `average`.
        record: what the files of weights themselves record, see `BackboneParams.record`.
    """

    weights: dict[str, np.ndarray]
    optimizer: dict[str, np.ndarray]
    states: dict[str, Any]
    average: dict[str, np.ndarray] | None = None
    deployed: str = "weights"
    record: dict[str, Any] | None = None

    def not_finite(self) -> str | None:
        """The name of an array that holds a NaN or an infinity; None if none does."""
        arrays = [*self.weights.items()]
        arrays += (self.average or {}).items()
        arrays += self.optimizer.items()
        for name, array in arrays:
            if not np.isfinite(array).all():
                return name
        return None


def snapshot(
    model: Any,
    optimizer: Any,
    states: dict[str, Any],
    average: dict[str, np.ndarray] | None = None,
    deployed: str = "weights",
    record: dict[str, Any] | None = None,
) -> Snapshot:
    """Copy what a checkpoint holds, so that it can be written while training continues."""
    accumulators = {}
    for name, value in structured_state(model, optimizer).items():
        is_tensor = hasattr(value, "numpy")
        accumulators[name] = value.numpy() if is_tensor else np.array(value)
    weights = {}
    for name, tensor in model.state_dict().items():
        # Of weights in half precision the float32 copies are evaluated and deployed
        master = accumulators.get(f"{name}/{MASTER}")
        weights[name] = tensor.numpy() if master is None else master
    return Snapshot(
        weights,
        accumulators,
        states,
        average,
        deployed if average else "weights",
        record,
    )


def write(folder: Path, taken: Snapshot, also: Sequence[Path] = ()) -> None:
    """Commit a checkpoint to `folder`, replacing the one there; a killed process loses neither.

    The folders of `also` are written first, and the states in `folder` last, so that a run resumed from `folder` finds
    all of them. They share the bytes by hard links where the file system has them: a checkpoint's file is never
    written again, only replaced.
    """
    aside = recover(folder)
    aside.mkdir(parents=True)
    contents = _contents(taken)
    for name, content in contents.items():
        _save(content, aside / name)
    files = {name: sha256_of(aside / name) for name in contents}
    states = {
        "schema": SCHEMA,
        "files": files,
        "deployed": taken.deployed,
        **taken.states,
    }
    text = json.dumps(states, indent=1, allow_nan=False)
    for place in also:
        _copy(aside, place, text)
    _write_states(aside, text)
    _put(aside, folder)


def _contents(taken: Snapshot) -> dict[str, dict[str, Any]]:
    """The dictionaries of the files of weights and of the optimizer, by the files' names."""
    record = {RECORD: json.dumps(taken.record)} if taken.record else {}
    weights = {**taken.weights, **record}
    if not taken.average:
        return {PARAMS: weights, OPTIMIZER: taken.optimizer}
    average = {**taken.weights, **taken.average, **record}
    if taken.deployed == "average":
        return {PARAMS: average, OPTIMIZER: taken.optimizer, OTHER: weights}
    return {PARAMS: weights, OPTIMIZER: taken.optimizer, OTHER: average}


def _write_states(folder: Path, text: str) -> None:
    """Write the last file of a folder atomically: if it is there, the others are complete."""
    torn = folder / _TORN_STATES
    torn.write_text(text, encoding="utf-8")
    torn.replace(folder / STATES)


def _save(content: dict[str, Any], path: Path) -> None:
    import paddle

    with contextlib.ExitStack() as stack:
        # Plain SGD has no state. Warning filters apply to all threads, so only then
        if not content:
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", message="The input state dict is empty")
        paddle.save(content, str(path))


def _copy(source: Path, target: Path, states: str) -> None:
    aside = recover(target)
    aside.mkdir(parents=True)
    for file in map(source.joinpath, WEIGHTS):
        if file.is_file():
            _link_or_copy(file, aside / file.name)
    _write_states(aside, states)
    _put(aside, target)


def _link_or_copy(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(file, target)


def _put(new: Path, folder: Path) -> None:
    """Replace the checkpoint in `folder` by a whole one; other files there are kept."""
    replace_folder(new, folder, lambda old: _discard(old, folder))


def _discard(leftover: Path, folder: Path) -> None:
    """Delete a checkpoint that another one has replaced; a user's files in it move to `folder`."""
    _remove_files(leftover)
    for file in sorted(leftover.iterdir()):
        folder.mkdir(exist_ok=True)
        place = folder / file.name
        file.rename(numbered(place) if os.path.lexists(place) else place)
    leftover.rmdir()


def copy(source: Path, target: Path) -> None:
    """Commit a copy of a whole checkpoint to `target`, replacing the one there."""
    _copy(source, target, (source / STATES).read_text(encoding="utf-8"))


def files_of(folder: Path) -> list[Path]:
    """List the files of a checkpoint that are in a folder; none if it holds no checkpoint."""
    present = [file for file in map(folder.joinpath, _FILES) if file.is_file()]
    is_checkpoint = folder / STATES in present or folder / PARAMS in present
    return present if is_checkpoint else []


def remove(folder: Path) -> None:
    """Delete a checkpoint; one whose deletion is interrupted no longer verifies and is not resumed from.

    The folder goes too, unless there is another file in it.
    """
    _remove_files(folder)
    if not any(folder.iterdir()):
        folder.rmdir()


def _remove_files(folder: Path) -> None:
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)


def read(path: Path) -> Checkpoint:
    """Read the newest verified checkpoint at `path`: its folder, `.../ppcls`, one of its files, or the folder of a run.

    Reading starts again if a run that is still training replaces a checkpoint meanwhile.

    Raises:
        UserError: none is there, or none verifies.
    """
    while True:
        problems: list[str] = []
        texts = _states_texts(path)
        for folder in texts:
            problem = verify(folder)
            if problem is None:
                return Checkpoint(folder, read_states(folder / STATES), tuple(problems))
            problems.append(problem)
        if _states_texts(path) == texts:
            break
    expect(
        problems,
        f"{path}: no checkpoint to resume from (no {STATES} there); give the folder of a run or of a checkpoint",
    )
    raise UserError(
        f"{path}: no checkpoint to resume from ({'; '.join(problems)}); give the folder of an older checkpoint, or "
        "start a new training without Global.checkpoints"
    )


def _states_texts(path: Path) -> dict[Path, bytes | None]:
    """Read the states file of each candidate, the newest candidate first."""
    texts: dict[Path, bytes | None] = {}
    for folder in candidates(path):
        texts[folder] = None
        with contextlib.suppress(OSError):
            texts[folder] = read_file(str(folder / STATES))
    return texts


def states_of(weights: Path) -> dict[str, Any] | None:
    """Read the states beside a weights file, if both belong to a checkpoint of this library.

    Raises:
        UserError: they do, but the weights are not those that were saved.
    """
    if weights.name not in (PARAMS, OTHER):
        return None
    file = weights.parent / STATES
    try:
        # PaddleClas's states are a pickle
        if read_file(str(file), 1) == b"\x80":
            return None
        states = read_states(file)
    except OSError:  # not there
        return None
    except DamagedStates as error:
        raise UserError(
            f"{error}; take another checkpoint, or delete that file"
        ) from error
    expect(
        sha256_of(weights) == states["files"].get(weights.name),
        f"{weights}: its bytes are not those that were saved; take another checkpoint",
    )
    return states


def verify(folder: Path) -> str | None:
    """Describe what is wrong with the checkpoint in `folder`; None if it is complete."""
    file = folder / STATES
    try:
        states = read_states(file)
        require_keys(file, states, ("epoch", "step"))
    except OSError as error:
        return f"{file}: {error.strerror or error}"
    except DamagedStates as error:
        return str(error)
    for name, digest in states["files"].items():
        problem = _verify_file(folder / name, digest)
        if problem is not None:
            return problem
    return None


def _verify_file(file: Path, digest: str) -> str | None:
    """Describe what is wrong with one file of a checkpoint."""
    if not file.is_file():
        return f"{file}: missing"
    if sha256_of(file) != digest:
        return f"{file}: its bytes are not those that were saved"
    return None


def _arrays(path: Path) -> dict[str, Any]:
    state = load_pickle(path)
    expect(
        isinstance(state, dict),
        f"{path}: holds {type(state).__name__}, no dictionary of arrays; give a checkpoint's file",
    )
    for other in (NAME_TABLE, RECORD):
        state.pop(other, None)
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, np.ndarray):
            raise UserError(
                f"{path}: {str(key)[:100]} is {type(value).__name__}, not an array; give another checkpoint"
            )
    return state


def recover(folder: Path) -> Path:
    """Finish what a killed process left incomplete; return the free path of the next new folder."""
    new, old = beside(folder, "new"), beside(folder, "old")
    if folder.exists():
        _discard_if_there(old, folder)
    if new.exists() and verify(new) is None:
        _put(new, folder)
    elif not folder.exists() and old.exists():
        old.rename(folder)
    _discard_if_there(new, folder)
    _discard_if_there(old, folder)
    return new


def _discard_if_there(leftover: Path, folder: Path) -> None:
    if leftover.exists():
        _discard(leftover, folder)


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
