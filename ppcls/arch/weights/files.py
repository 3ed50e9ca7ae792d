"""Files of weights: recognised by what they hold, read into numpy arrays, written in two formats.

Nothing that a file asks for is run; see `ppcls.untrusted.unpickle`. Each format has a module of its own beside this
one: pdparams, safetensors_files, torch_files, darknet.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.arch.weights.darknet import read_darknet
from ppcls.arch.weights.layouts import NAME_TABLE, RECORD
from ppcls.arch.weights.pdparams import read_pdparams, write_pdparams
from ppcls.arch.weights.state_dicts import without_prefix
from ppcls.arch.weights.torch_files import read_torch
from ppcls.untrusted.arrays import plain
from ppcls.untrusted.formats import format_of
from ppcls.untrusted.record import Content
from ppcls.untrusted.refusals import shown
from ppcls.untrusted.safetensors_files import read_safetensors, write_safetensors
from ppcls.utils.errors import UserError
from ppcls.utils.files import (
    PathLike,
    require_place,
    weights_file,
    written_aside,
)

_READERS: dict[str, Callable[[Path], Content]] = {
    "safetensors": read_safetensors,
    "darknet": read_darknet,
}
# Files of these may hold more than one dictionary of weights.
_PICKLE_READERS: dict[str, Callable[[Path, bool], Content]] = {
    "pdparams": read_pdparams,
    "torch": read_torch,
}
_WRITERS = {".pdparams": write_pdparams, ".safetensors": write_safetensors}


@dataclasses.dataclass(frozen=True)
class WeightsFile:
    """What a file of weights holds.

    Attributes:
        path: The file.
        format: pdparams, torch, safetensors or darknet.
        arrays: Finite numbers by the names that stand in the file, without a prefix that all share. Of Darknet,
            which knows no names, all of the file's numbers [N] as `values`.
        record: What `write_weights` was told to remember: preprocessing, arguments and the like.
    """

    path: Path
    format: str
    arrays: dict[str, np.ndarray]
    record: dict[str, Any] | None


def read_weights(path: PathLike, use_ema: bool = True) -> WeightsFile:
    """Reads a file of weights of any source; its content tells its format, and nothing of it is run.

    A prefix that all names share, such as `module.`, is left out.

    Args:
        path: The file, or what names a `.pdparams` file, see `ppcls.utils.files.weights_file`.
        use_ema: Whether the moving average is read where the file holds weights and their moving average.

    Raises:
        UserError: there is no such file, it is damaged, asks for more than data, or holds what are no weights.
    """
    file = weights_file(path)
    kind = format_of(file)
    arrays, record = (
        _PICKLE_READERS[kind](file, use_ema)
        if kind in _PICKLE_READERS
        else _READERS[kind](file)
    )
    arrays = without_prefix(file, arrays)
    if not arrays:
        raise UserError(f"{file}: holds no arrays; give a file of weights")
    for name, array in arrays.items():
        _check(file, name, array)
    return WeightsFile(file, kind, arrays, record)


def write_weights(
    path: PathLike,
    arrays: Mapping[str, np.ndarray],
    record: Mapping[str, Any] | None = None,
    before: Callable[[Path], None] = lambda written: None,
) -> WeightsFile:
    """Writes weights, whole or not at all, and reads them back to compare every bit.

    Args:
        path: Where to; the suffix says how: `.pdparams`, which every `paddle.load` reads, or `.safetensors`.
        arrays: Finite numbers by name.
        record: What JSON can say of them: preprocessing, arguments and the like.
        before: Called with the finished file before it takes its place; what it raises leaves the place as it was.

    Returns:
        The file as it was read back.

    Raises:
        UserError: another suffix, names or values that no file of weights holds, or no place to write to.
    """
    target = writable(path)
    for name, array in arrays.items():
        if not isinstance(name, str) or name in (RECORD, NAME_TABLE, "__metadata__"):
            raise UserError(
                f"{target}: {shown(name)} cannot be a tensor's name; give it another"
            )
        if not isinstance(array, np.ndarray):
            raise UserError(
                f"{target}: {shown(name)} is of type {type(array).__name__} and not an array; give arrays"
            )
        _check(target, name, array)
    if not arrays:
        raise UserError(f"{target}: there are no arrays to write; give some")
    text = None if record is None else json.dumps(record, allow_nan=False)
    plain_arrays = {name: plain(array) for name, array in arrays.items()}
    with _aside(target) as aside:
        _WRITERS[target.suffix](aside, plain_arrays, text)
        found = read_weights(aside)
        _compare(found, plain_arrays, text)
        before(aside)
    return dataclasses.replace(found, path=target)


def writable(path: PathLike) -> Path:
    """The path of weights to be written.

    Raises:
        UserError: weights cannot be written with this suffix, or a file is in the place of its folder.
    """
    target = Path(path)
    if target.suffix not in _WRITERS:
        raise UserError(
            f"{target}: weights are not written as {target.suffix!r}; write .pdparams or .safetensors"
        )
    require_place(target)
    return target


def _check(path: Path, name: str, array: np.ndarray) -> None:
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise UserError(
            f"{path}: {shown(name)} is of type {array.dtype}, which no weights are; give a state dict"
        )
    wrong = array.size - int(np.isfinite(array).sum()) if array.dtype.kind == "f" else 0
    if wrong:
        raise UserError(
            f"{path}: {wrong:,} of {array.size:,} values of {shown(name)} are NaN or infinite; "
            "copy or download the file again, or take an earlier checkpoint"
        )


@contextlib.contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """Give a neighbour to write to, which then takes the target's place; see `written_aside`."""
    # Its suffix says how it is written and read.
    aside = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        with written_aside(target, aside):
            yield aside
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            f"{target}: cannot be written ({reason}); make room or choose another folder"
        ) from error


def _compare(
    found: WeightsFile, arrays: Mapping[str, np.ndarray], record: str | None
) -> None:
    def same(name: str) -> bool:
        left, right = found.arrays[name], arrays[name]
        return (
            left.dtype == right.dtype
            and left.shape == right.shape
            and left.tobytes() == right.tobytes()
        )

    different = [name for name in arrays if name not in found.arrays or not same(name)]
    if different or len(found.arrays) != len(arrays):
        raise OSError(
            f"{shown(different[0]) if different else 'a tensor'} reads back with other values"
        )
    if found.record != (None if record is None else json.loads(record)):
        raise OSError("the record reads back with other values")
