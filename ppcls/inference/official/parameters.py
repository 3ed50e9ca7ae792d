"""Whether a file of parameters is whole: Paddle takes one that was cut inside its last tensor for a good one.

`inference.pdiparams` is a row of tensors: version (uint32), levels of detail (uint64, then a size and so many bytes for
each), version (uint32), length of a message TensorDesc {data_type = 1, dims = 2} (int32), the message, the values.
"""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path
from typing import BinaryIO

from ppcls.inference.official.program import shape_of
from ppcls.utils.protobuf import numbers
from ppcls.utils.untrusted import Damaged, refusals

_BYTES = {0: 1, 1: 2, 2: 4, 3: 8, 4: 2, 5: 4, 6: 8, 20: 1, 21: 1, 22: 2}  # of a value, by Paddle's number of its type


def check_parameters(parameters: Path) -> None:
    """Walks from tensor to tensor, without reading their values.

    Raises:
        UserError: the file does not end where its last tensor does.
    """
    with refusals(parameters, "file of parameters"), parameters.open("rb") as file:
        size = parameters.stat().st_size
        if not size:
            raise Damaged("it is empty")
        while file.tell() < size:
            _pass_tensor(file)
        if file.tell() != size:
            raise Damaged(f"its last tensor ends at byte {file.tell()} of {size}")


def _pass_tensor(file: BinaryIO) -> None:
    _, levels = struct.unpack("<IQ", file.read(12))
    for _ in range(levels):
        file.seek(struct.unpack("<Q", file.read(8))[0], 1)
    _, length = struct.unpack("<Ii", file.read(8))
    description = memoryview(file.read(length))
    (kind,) = numbers(description, 1)
    if kind not in _BYTES:
        raise Damaged(f"a tensor of the unknown type {kind!r}")
    file.seek(_BYTES[kind] * prod(shape_of(description)), 1)
