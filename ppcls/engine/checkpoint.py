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
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.arch.weights.layouts import NAME_TABLE, RECORD
from ppcls.data.picture_files import read_file
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
from ppcls.utils.errors import UserError
from ppcls.utils.files import beside, numbered, replace_folder, sha256_of

_TORN_STATES = f".{STATES}"
_FILES = (STATES, _TORN_STATES, *WEIGHTS)
# The optimizer's float32 copy of a weight that is held in half precision
_MASTER = "master_weight"


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint: where it lies, and its states; the large files are read when asked for.

    `passed_over` says of each newer one what is wrong with it.
    """

    folder: Path
    states: dict[str, Any]
    passed_over: Sequence[str] = ()

    @property
    def weights_file(self) -> Path:
        """The file of the weights that training goes on with."""
        return self.folder / (
            OTHER if self.states.get("deployed") == "average" else PARAMS
        )

    def parameters(self) -> dict[str, Any]:
        """The weights that training goes on with, by structured name."""
        return _arrays(self.weights_file)

    def average(self) -> dict[str, Any]:
        """Their moving average, where the run has one."""
        return _arrays(
            self.folder
            / (PARAMS if self.states.get("deployed") == "average" else OTHER)
        )

    def optimizer(self) -> dict[str, Any]:
        """Structured name and accumulator to array."""
        return _arrays(self.folder / OPTIMIZER)


@dataclass(frozen=True)
class Snapshot:
    """A run's state in memory, which nothing changes any more.

    Attributes:
        weights: arrays by structured name.
        optimizer: arrays by structured name and accumulator.
        states: what the states file says.
        average: the weights' moving average, if there is one.
        deployed: which of the two `ppcls.pdparams` holds, for evaluation and export: `weights` or `average`.
        record: what the files of weights themselves have to remember, see `record_of`.
    """

    weights: dict[str, np.ndarray]
    optimizer: dict[str, np.ndarray]
    states: dict[str, Any]
    average: dict[str, np.ndarray] | None = None
    deployed: str = "weights"
    record: dict[str, Any] | None = None

    def not_finite(self) -> str | None:
        """The name of an array that holds a NaN or an infinity; None if none does."""
        for arrays in (self.weights, self.average or {}, self.optimizer):
            for name, array in arrays.items():
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
    """Copies what a checkpoint holds, so that it can be written while training goes on."""
    accumulators = {}
    for name, value in _structured_optimizer_state(model, optimizer).items():
        is_tensor = hasattr(value, "numpy")
        accumulators[name] = value.numpy() if is_tensor else np.array(value)
    weights = {}
    for name, tensor in model.state_dict().items():
        # Of weights in half precision the float32 copies are evaluated and deployed
        master = accumulators.get(f"{name}/{_MASTER}")
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
    """Commits a checkpoint to `folder`, replacing the one there; a killed process loses neither.

    The folders of `also` get it first, so that a run resumed from `folder` has left none of them out: until they have
    it, what lies aside lacks its states. They share the bytes by hard links where the file system has them: a
    checkpoint's file is never written again, only replaced.
    """
    aside = recover(folder)
    aside.mkdir(parents=True)
    noted = {RECORD: json.dumps(taken.record)} if taken.record else {}
    weights, average = (
        {**taken.weights, **noted},
        {**taken.weights, **(taken.average or {}), **noted},
    )
    deployed, other = (
        (average, weights) if taken.deployed == "average" else (weights, average)
    )
    contents: dict[str, dict[str, Any]] = {PARAMS: deployed, OPTIMIZER: taken.optimizer}
    if taken.average:
        contents[OTHER] = other
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


def _write_states(folder: Path, text: str) -> None:
    """The last file of a folder, whole or absent: where it is, the others are."""
    torn = folder / _TORN_STATES
    torn.write_text(text, encoding="utf-8")
    torn.replace(folder / STATES)


def _save(content: dict[str, Any], path: Path) -> None:
    import paddle

    with contextlib.ExitStack() as stack:
        # Plain SGD has no state; filters are the process's, not this thread's, so only then
        if not content:
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", message="The input state dict is empty")
        paddle.save(content, str(path))


def _copy(source: Path, target: Path, states: str) -> None:
    aside = recover(target)
    aside.mkdir(parents=True)
    for file in [source / name for name in WEIGHTS if (source / name).is_file()]:
        try:
            os.link(file, aside / file.name)
        except OSError:  # another file system, or one without hard links
            shutil.copy2(file, aside / file.name)
    _write_states(aside, states)
    _put(aside, target)


def _put(new: Path, folder: Path) -> None:
    """Puts a whole checkpoint in the place of `folder`, where files that are no checkpoint's stay."""
    replace_folder(new, folder, lambda old: _discard(old, folder))


def _discard(leftover: Path, folder: Path) -> None:
    """Deletes a checkpoint that another one has replaced; other files in it, a user's, move to `folder`."""
    _remove_files(leftover)
    for file in sorted(leftover.iterdir()):
        folder.mkdir(exist_ok=True)
        place = folder / file.name
        file.rename(numbered(place) if os.path.lexists(place) else place)
    leftover.rmdir()


def copy(source: Path, target: Path) -> None:
    """Commits a copy of a whole checkpoint to `target`, replacing the one there."""
    _copy(source, target, (source / STATES).read_text(encoding="utf-8"))


def files_of(folder: Path) -> list[Path]:
    """The files of a checkpoint in a folder, as far as they are there; none if no checkpoint is."""
    there = [folder / name for name in _FILES if (folder / name).is_file()]
    return there if folder / STATES in there or folder / PARAMS in there else []


def remove(folder: Path) -> None:
    """Deletes a checkpoint; one whose deletion is interrupted no longer verifies and is not resumed from.

    The folder goes too, unless there is another file in it.
    """
    _remove_files(folder)
    if not any(folder.iterdir()):
        folder.rmdir()


def _remove_files(folder: Path) -> None:
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)


def read(path: Path) -> Checkpoint:
    """The newest verified checkpoint at `path`: its folder, `.../ppcls`, one of its files, or the folder of a run.

    A run that is still training may replace a checkpoint while it is being read here: then reading starts again.

    Raises:
        UserError: none is there, or none verifies.
    """
    while True:
        problems: list[str] = []
        candidates = _states_texts(path)
        for folder in candidates:
            problem = verify(folder)
            if problem is None:
                return Checkpoint(folder, read_states(folder / STATES), tuple(problems))
            problems.append(problem)
        if _states_texts(path) == candidates:
            break
    if not problems:
        raise UserError(
            f"{path}: no checkpoint to resume from (no {STATES} there); give the folder of a run or of a checkpoint"
        )
    raise UserError(
        f"{path}: no checkpoint to resume from ({'; '.join(problems)}); give the folder of an older checkpoint, or "
        "train anew without Global.checkpoints"
    )


def _states_texts(path: Path) -> dict[Path, bytes | None]:
    """What the states file of each candidate holds at this moment, the newest candidate first."""
    texts: dict[Path, bytes | None] = {}
    for folder in _candidates(path):
        try:
            texts[folder] = read_file(str(folder / STATES))
        except OSError:
            texts[folder] = None
    return texts


def states_of(weights: Path) -> dict[str, Any] | None:
    """The states beside a weights file, if both are of a checkpoint of ours.

    Raises:
        UserError: they are, but the weights are not those that were saved.
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
    if sha256_of(weights) != states["files"].get(weights.name):
        raise UserError(
            f"{weights}: its bytes are not those that were saved; take another checkpoint"
        )
    return states


def verify(folder: Path) -> str | None:
    """What is wrong with the checkpoint in `folder`, or None."""
    file = folder / STATES
    try:
        states = read_states(file)
        require_keys(file, states, ("epoch", "step"))
    except OSError as error:
        return f"{file}: {error.strerror or error}"
    except DamagedStates as error:
        return str(error)
    for name, digest in states["files"].items():
        if not (folder / name).is_file():
            return f"{folder / name}: missing"
        if sha256_of(folder / name) != digest:
            return f"{folder / name}: its bytes are not those that were saved"
    return None


def restore_optimizer(
    model: Any, optimizer: Any, state: dict[str, Any], anew: Collection[str] = ()
) -> None:
    """Gives `optimizer` the state that `Checkpoint.optimizer` read.

    Every parameter of the model must be there but those named in `anew`, whose state, if any, is left out.
    """
    import paddle

    kept = {}
    for key, value in state.items():
        if key.rpartition("/")[0] not in anew:
            kept[key] = value
    state, renamed = kept, {}
    if state:
        new = [
            parameter for name, parameter in model.named_parameters() if name in anew
        ]
        renamed = _initial_state(optimizer, new)
    masters: dict[str, Any] = renamed.pop("master_weights", {})
    initial = len(renamed) + len(masters)
    for name, parameter in model.named_parameters():
        for key, value in state.items():
            owner, _, accumulator = key.rpartition("/")
            if owner != name:
                continue
            # An accumulator is like its parameter, or one number
            if value.size != 1 and list(value.shape) != parameter.shape:
                raise UserError(
                    f"the optimizer state of the checkpoint has the shape {list(value.shape)} for {key}, but the "
                    f"parameter has {parameter.shape}; resume with the Arch and Optimizer it was saved with"
                )
            if accumulator == _MASTER:
                masters[parameter.name] = paddle.to_tensor(value)
            else:
                renamed[f"{parameter.name}_{accumulator}"] = value
    found = len(renamed) + len(masters) - initial
    if found != len(state):
        raise UserError(
            f"the optimizer state of the checkpoint fits {found} of its {len(state)} entries to this model; "
            "resume with the Arch and Optimizer it was saved with"
        )
    optimizer.set_state_dict(
        {**renamed, "master_weights": masters} if masters else renamed
    )


def _initial_state(optimizer: Any, parameters: Sequence[Any]) -> dict[str, Any]:
    """What the optimizer holds of parameters before their first step, by its own names.

    An optimizer that is given a state takes every parameter's from there, and makes none itself.
    """
    import paddle

    trained = [parameter for parameter in parameters if not parameter.stop_gradient]
    if not trained:
        return {}
    optimizer._create_accumulators(
        paddle.static.default_main_program().global_block(), trained
    )
    return {**optimizer.state_dict()}


def _structured_optimizer_state(model: Any, optimizer: Any) -> dict[str, Any]:
    """Paddle names accumulators by parameter counters of the process; structured names hold in any process."""
    owners = {parameter.name: name for name, parameter in model.named_parameters()}
    given = dict(optimizer.state_dict())
    state = {}
    for name, value in given.pop("master_weights", {}).items():
        state[f"{owners[name]}/{_MASTER}"] = value
    # The longest names first: linear_1 is the beginning of linear_10
    longest_first = sorted(owners, key=len, reverse=True)
    for key, value in given.items():
        owner = next((name for name in longest_first if key.startswith(f"{name}_")), "")
        if owner:
            state[f"{owners[owner]}/{key[len(owner) + 1 :]}"] = value
        elif key != "LR_Scheduler":
            raise AssertionError(f"optimizer state {key} belongs to no parameter")
    return state


def _arrays(path: Path) -> dict[str, Any]:
    state = load_pickle(path)
    if not isinstance(state, dict):
        raise UserError(
            f"{path}: holds {type(state).__name__}, no dictionary of arrays; give a checkpoint's file"
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
    """Ends what a killed process left half done; returns the free name to write aside to."""
    new, old = beside(folder, "new"), beside(folder, "old")
    if folder.exists() and old.exists():
        _discard(old, folder)
    if verify(new) is None:
        _put(new, folder)
    elif not folder.exists() and old.exists():
        old.rename(folder)
    for leftover in (new, old):
        if leftover.exists():
            _discard(leftover, folder)
    return new


def _candidates(path: Path) -> Iterable[Path]:
    """Folders to look at, the newest first: a complete `.new` is younger than what it was to replace."""
    folder = (
        path.parent
        if path.name in (WEIGHTS_STEM, PARAMS, OTHER, OPTIMIZER, STATES)
        else path
    )
    trio = [beside(folder, "new"), folder, beside(folder, "old")]
    existing = [candidate for candidate in trio if (candidate / STATES).is_file()]
    if existing or not folder.is_dir():
        return existing
    latest = list(_candidates(folder / LATEST))
    # Without its states, which is worth a word
    if not latest and (folder / LATEST).is_dir():
        latest = [folder / LATEST]
    others = [
        child
        for child in folder.iterdir()
        if (child / STATES).is_file() and child not in latest
    ]
    return [*latest, *sorted(others, key=_position, reverse=True)]


def _position(folder: Path) -> tuple[int, int]:
    """Where a checkpoint says it stands; whether that is so `read` finds out, of those that it comes to."""
    try:
        states = read_states(folder / STATES)
        return states["epoch"], states["step"]
    # No states file of ours, so the last to be tried
    except (OSError, DamagedStates, KeyError):
        return -1, -1
