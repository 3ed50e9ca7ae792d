"""Files of safetensors: the size of a header, the header in JSON, then numbers.

Our record is in the header's metadata.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors.numpy

from ppcls.untrusted.json_text import parse_json
from ppcls.untrusted.limits import MAX_ARRAYS, are_counts
from ppcls.untrusted.npz import bfloat16_to_float32, native
from ppcls.untrusted.refusals import Damaged, refusals, require, shown
from ppcls.untrusted.weight_content import Content, parse_record
from ppcls.utils.errors import expect, translated

_RECORD = "ppcls_record"
_METADATA = "__metadata__"
_SIZE_BYTES = 8
_BFLOAT16 = "BF16"
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    _BFLOAT16: "<u2",
    "BOOL": "u1",
    "I8": "i1",
    "I16": "<i2",
    "I32": "<i4",
    "I64": "<i8",
    "U8": "u1",
    "U16": "<u2",
    "U32": "<u4",
    "U64": "<u8",
}


@dataclass(frozen=True)
class _Entry:
    """A tensor of the header: its type as safetensors names it, its shape, and where its bytes start and end."""

    kind: str
    shape: tuple[int, ...]
    start: int
    end: int


def read_safetensors(path: Path) -> Content:
    """Reads arrays, bfloat16 as float32, and the record.

    Raises:
        UserError: the file cannot be read, is damaged, or holds types that are not weights.
    """
    with refusals(path, "safetensors file"), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        header = _read_header(file, size)
        text = _take_record(header)
        entries = {name: _entry(path, name, part) for name, part in header.items()}
        first = file.tell()
        _check_layout(entries, size - first)
        arrays = {name: _read(file, first, entry) for name, entry in entries.items()}
    record = None if text is None else parse_record(path, text)
    return arrays, record


def _read_header(file: BinaryIO, size: int) -> dict[str, Any]:
    require(size >= _SIZE_BYTES, f"its {size} bytes are less than a header")
    length = int.from_bytes(file.read(_SIZE_BYTES), "little")
    require(
        length <= size - _SIZE_BYTES, f"a header of {length} bytes in a file of {size}"
    )
    with translated(Damaged, lambda error: Damaged(f"its header is {error}")):
        header = parse_json(file.read(length))
    require(isinstance(header, dict), "its header is not an object")
    require(
        len(header) <= MAX_ARRAYS,
        f"it has {len(header):,} tensors, more than {MAX_ARRAYS:,}",
    )
    entries: dict[str, Any] = header
    return entries


def _take_record(header: dict[str, Any]) -> Any:
    """Removes the metadata from a header, and returns the record in it, if there is one."""
    metadata = header.pop(_METADATA, None)
    if metadata is None:
        return None
    require(isinstance(metadata, dict), "its metadata is not an object")
    return metadata.get(_RECORD)


def _entry(path: Path, name: str, description: Any) -> _Entry:
    require(
        isinstance(description, dict), f"{shown(name)} is not described by an object"
    )
    kind = description.get("dtype")
    expect(
        isinstance(kind, str) and kind in _DTYPES,
        f"{path}: {shown(name)} is of type {shown(kind)}, which is not read; give weights in F32, F16 or BF16",
    )
    shape = _counts(name, description.get("shape"))
    offsets = _counts(name, description.get("data_offsets"))
    require(len(offsets) == 2, f"{shown(name)} has {len(offsets)} offsets, not 2")
    start, end = offsets
    wanted = math.prod(shape) * np.dtype(_DTYPES[kind]).itemsize
    require(
        end - start == wanted,
        f"{shown(name)} has {end - start} bytes, and its shape and type need {wanted}",
    )
    return _Entry(kind, shape, start, end)


def _counts(name: str, numbers: Any) -> tuple[int, ...]:
    require(
        isinstance(numbers, list) and are_counts(numbers),
        f"the shape or the offsets of {shown(name)} are not counts",
    )
    return tuple(numbers)


def _check_layout(entries: Mapping[str, _Entry], size: int) -> None:
    """Refuses tensors that overlap, and bytes that belong to none.

    Raises:
        Damaged: there are some.
    """
    place = 0
    for name, entry in sorted(entries.items(), key=_place_of):
        require(
            entry.start == place,
            f"{shown(name)} starts at byte {entry.start}, and the tensor before it ends at {place}",
        )
        place = entry.end
    require(
        place == size,
        f"its tensors have {place} bytes and the file has {size} for them",
    )


def _place_of(named: tuple[str, _Entry]) -> tuple[int, int]:
    return named[1].start, named[1].end


def _read(file: BinaryIO, first: int, entry: _Entry) -> np.ndarray:
    content = np.empty(entry.end - entry.start, np.uint8)
    file.seek(first + entry.start)
    filled = file.readinto(content)  # type: ignore[attr-defined]
    require(filled == len(content), "it has become shorter while it was read")
    numbers = content.view(_DTYPES[entry.kind])
    if entry.kind == "BOOL":
        numbers = numbers != 0  # numpy's truth values are 0 and 1 alone
    elif entry.kind == _BFLOAT16:
        numbers = bfloat16_to_float32(numbers)
    return native(numbers).reshape(entry.shape)


def write_safetensors(
    path: Path, arrays: dict[str, np.ndarray], record: str | None
) -> None:
    """Writes arrays, and a record of JSON text."""
    metadata = None if record is None else {_RECORD: record}
    # `save_file` of safetensors writes a file that no other user may read.
    path.write_bytes(safetensors.numpy.save(arrays, metadata))
