"""Files of safetensors: a header in JSON, then numbers. Our record stands in the header's metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from ppcls.untrusted.arrays import bfloat16_to_float32, native
from ppcls.untrusted.record import Content, parse_record
from ppcls.untrusted.refusals import Damaged, refusals, shown
from ppcls.utils.errors import UserError

_RECORD = "ppcls_record"
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "BOOL": "?",
    **{
        f"{kind}{8 * size}": f"<{kind.lower()}{size}"
        for kind in "IU"
        for size in (1, 2, 4, 8)
    },
}


def read_safetensors(path: Path) -> Content:
    """Arrays, bfloat16 as float32, and record.

    Raises:
        UserError: the file cannot be read, is damaged, or holds types that are no weights.
    """
    with refusals(path, "safetensors file"):
        content = path.read_bytes()
        tensors = safetensors.deserialize(content)
        header = json.loads(
            content[8 : 8 + int.from_bytes(content[:8], "little")],
            object_pairs_hook=_no_duplicates,
        )
        del content
        arrays = {name: _array(path, name, tensor) for name, tensor in tensors}
        # In the file's order
        arrays = {name: arrays[name] for name in header if name != "__metadata__"}
    text = (header.get("__metadata__") or {}).get(_RECORD)
    return arrays, None if text is None else parse_record(path, text)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise Damaged("a name stands twice in its header")
    return dict(pairs)


def _array(path: Path, name: str, tensor: Mapping[str, Any]) -> np.ndarray:
    kind = tensor["dtype"]
    if kind not in _DTYPES:
        raise UserError(
            f"{path}: {shown(name)} is of type {kind}, which is not read; give weights in F32, F16 or BF16"
        )
    flat = np.frombuffer(tensor["data"], _DTYPES[kind])
    numbers = bfloat16_to_float32(flat) if kind == "BF16" else native(flat)
    return numbers.reshape(tensor["shape"])


def write_safetensors(
    path: Path, arrays: dict[str, np.ndarray], record: str | None
) -> None:
    """Writes arrays, and a record of JSON text."""
    # Its own `save_file` leaves a file that nobody else may read.
    path.write_bytes(
        safetensors.numpy.save(arrays, None if record is None else {_RECORD: record})
    )
