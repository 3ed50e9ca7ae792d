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

from ppcls.untrusted.arrays import float32_size, plain
from ppcls.untrusted.darknet import read_darknet
from ppcls.untrusted.formats import format_of
from ppcls.untrusted.limits import MAX_ARRAYS, MAX_NAME, Meter
from ppcls.untrusted.pdparams import read_pdparams, write_pdparams
from ppcls.untrusted.record import NAME_TABLE, RECORD, Content
from ppcls.untrusted.refusals import refusals, shown
from ppcls.untrusted.safetensors_files import read_safetensors, write_safetensors
from ppcls.untrusted.state_dicts import without_prefix
from ppcls.untrusted.torch_files import read_torch
from ppcls.untrusted.weights_paths import weights_file
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike, require_place, written_aside

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
        path: The file, or what names a `.pdparams` file, see `ppcls.untrusted.weights_paths.weights_file`.
        use_ema: Whether the moving average is read where the file holds weights and their moving average.

    Raises:
        UserError: there is no such file, it is damaged, asks for more than data, or holds what are no weights.
    """
    file = weights_file(path)
    kind = format_of(file)
    arrays, record = _read(file, kind, use_ema)
    _check_proportions(file, arrays)
    arrays = without_prefix(file, arrays)
    if not arrays:
        raise UserError(f"{file}: holds no arrays; give a file of weights")
    for name, array in arrays.items():
        _check(file, name, array)
    return WeightsFile(file, kind, arrays, record)


def _read(file: Path, kind: str, use_ema: bool) -> Content:
    # Pickles may hold more than one dictionary of weights
    if kind == "pdparams":
        return read_pdparams(file, use_ema)
    if kind == "torch":
        return read_torch(file, use_ema)
    if kind == "safetensors":
        return read_safetensors(file)
    return read_darknet(file)


def _check_proportions(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Refuses more arrays, longer names and more memory than weights of a file of this size can have.

    An array that has many names counts for each of them, because a model takes a copy for each.

    Raises:
        UserError: there is more.
    """
    if len(arrays) > MAX_ARRAYS:
        raise UserError(
            f"{file}: holds {len(arrays):,} arrays, more than {MAX_ARRAYS:,}; give the weights of one network"
        )
    meter = Meter(file.stat().st_size)
    with refusals(file, "file of weights", "save each array once"):
        for name, array in arrays.items():
            if len(name) > MAX_NAME:
                raise UserError(
                    f"{file}: the name {shown(name)}... has {len(name):,} characters, more than {MAX_NAME}; "
                    "give a state dict"
                )
            meter.claim(float32_size(array))


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
                f"{target}: {shown(name)} is of type {type(array).__name__}, not an array; give arrays"
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
