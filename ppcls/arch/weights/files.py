"""Files of weights: recognised by their content, read into numpy arrays, written in two formats.

Nothing that a file asks for is run; see `ppcls.untrusted.unpickle`. Each format has a module of its own in
`ppcls.untrusted`: pdparams, safetensors_files, torch_files, darknet.
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

from ppcls.untrusted.darknet import read_darknet
from ppcls.untrusted.formats import format_of
from ppcls.untrusted.limits import MAX_ARRAYS, MAX_NAME, Meter
from ppcls.untrusted.npz import float32_size, plain
from ppcls.untrusted.pdparams import read_pdparams, write_pdparams
from ppcls.untrusted.refusals import refusals, shown
from ppcls.untrusted.safetensors_files import read_safetensors, write_safetensors
from ppcls.untrusted.state_dicts import without_prefix
from ppcls.untrusted.torch_files import read_torch
from ppcls.untrusted.weight_content import NAME_TABLE, RECORD, Content
from ppcls.untrusted.weights_paths import weights_file
from ppcls.utils.errors import UserError, expect, translated
from ppcls.utils.files import PathLike, require_place, written_aside

# Names that formats use for other things
_RESERVED = (RECORD, NAME_TABLE, "__metadata__")
_WRITERS = {".pdparams": write_pdparams, ".safetensors": write_safetensors}


@dataclasses.dataclass(frozen=True)
class WeightsFile:
    """What a file of weights holds.

    Attributes:
        path: The file.
        format: pdparams, torch, safetensors or darknet.
        arrays: Finite numbers by their names in the file, without a prefix that all names share. Darknet has no
            names: all numbers of its files are one array [N], `values`.
        record: The record that was given to `write_weights`: preprocessing, arguments and so on.
    """

    path: Path
    format: str
    arrays: dict[str, np.ndarray]
    record: dict[str, Any] | None


def read_weights(path: PathLike, use_ema: bool = True) -> WeightsFile:
    """Reads a file of weights of any source. Its content determines the format, and nothing of it is run.

    A prefix that all names share, such as `module.`, is left out.

    Args:
        path: The file, or what names a `.pdparams` file, see `ppcls.untrusted.weights_paths.weights_file`.
        use_ema: Whether the moving average is read where the file holds weights and their moving average.

    Raises:
        UserError: there is no such file, it is damaged, asks for more than data, or holds something else.
    """
    file = weights_file(path)
    kind = format_of(file)
    arrays, record = _read(file, kind, use_ema)
    _check_proportions(file, arrays)
    arrays = without_prefix(file, arrays)
    expect(arrays, f"{file}: holds no arrays; give a file of weights")
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
    expect(
        len(arrays) <= MAX_ARRAYS,
        f"{file}: holds {len(arrays):,} arrays, more than {MAX_ARRAYS:,}; give the weights of one network",
    )
    meter = Meter(file.stat().st_size)
    with refusals(file, "file of weights", "save each array once"):
        for name, array in arrays.items():
            _check_name(file, name)
            meter.claim(float32_size(array))


def _check_name(file: Path, name: str) -> None:
    expect(
        len(name) <= MAX_NAME,
        f"{file}: the name {shown(name)}... has {len(name):,} characters, more than {MAX_NAME}; "
        "give a state dict",
    )
    with translated(
        UnicodeEncodeError,
        lambda error: UserError(
            f"{file}: the name {shown(name)} is not valid text; give a state dict"
        ),
    ):
        name.encode()


def write_weights(
    path: PathLike,
    arrays: Mapping[str, np.ndarray],
    record: Mapping[str, Any] | None = None,
    before: Callable[[Path], None] = lambda written: None,
) -> WeightsFile:
    """Writes weights, whole or not at all, and reads them back to compare every bit.

    Args:
        path: The file; its suffix is the format: `.pdparams`, which every `paddle.load` reads, or `.safetensors`.
        arrays: Finite numbers by name.
        record: What JSON can express about them: preprocessing, arguments and so on.
        before: Called with the finished file before it takes its place. If it raises, the old file stays.

    Returns:
        The file as it was read back.

    Raises:
        UserError: the suffix is another one, a name or a value cannot be in a file of weights, or the file cannot be
            written.
    """
    target = writable(path)
    for name, array in arrays.items():
        _check_given(target, name, array)
    expect(arrays, f"{target}: there are no arrays to write; give some")
    text = None if record is None else json.dumps(record, allow_nan=False)
    plain_arrays = {name: plain(array) for name, array in arrays.items()}
    with _aside(target) as aside:
        _WRITERS[target.suffix](aside, plain_arrays, text)
        found = read_weights(aside)
        _compare(found, plain_arrays, text)
        before(aside)
    return dataclasses.replace(found, path=target)


def _check_given(target: Path, name: Any, array: Any) -> None:
    expect(
        isinstance(name, str) and name not in _RESERVED,
        f"{target}: {shown(name)} cannot be a tensor's name; give it another",
    )
    expect(
        isinstance(array, np.ndarray),
        f"{target}: {shown(name)} is of type {type(array).__name__}, not an array; give arrays",
    )
    _check(target, name, array)


def writable(path: PathLike) -> Path:
    """Checks that weights can be written to a path, and returns it.

    Raises:
        UserError: weights cannot be written with this suffix, or a file is in the place of its folder.
    """
    target = Path(path)
    expect(
        target.suffix in _WRITERS,
        f"{target}: weights are not written as {target.suffix!r}; write .pdparams or .safetensors",
    )
    require_place(target)
    return target


def _check(path: Path, name: str, array: np.ndarray) -> None:
    expect(
        array.dtype.kind in "fiub" and array.dtype.itemsize <= 8,
        f"{path}: {shown(name)} is of type {array.dtype}, which weights cannot have; give a state dict",
    )
    if array.dtype.kind != "f":
        return
    wrong = array.size - int(np.isfinite(array).sum())
    if wrong:
        raise UserError(
            f"{path}: {wrong:,} of {array.size:,} values of {shown(name)} are NaN or infinite; "
            "copy or download the file again, or take an earlier checkpoint"
        )


@contextlib.contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """Yields a file beside the target to write to, which then takes the target's place; see `written_aside`."""
    # Its suffix is the format
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
    """Compares what was read back with what was written.

    Raises:
        OSError: they differ.
    """
    for name, array in arrays.items():
        if name not in found.arrays or not _is_same(found.arrays[name], array):
            raise OSError(f"{shown(name)} reads back with other values")
    if len(found.arrays) != len(arrays):
        raise OSError("a tensor reads back with other values")
    expected = None if record is None else json.loads(record)
    if found.record != expected:
        raise OSError("the record reads back with other values")


def _is_same(left: np.ndarray, right: np.ndarray) -> bool:
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    return left.tobytes() == right.tobytes()
