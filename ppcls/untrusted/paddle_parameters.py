"""Whether a file of parameters is whole: Paddle takes one that was cut inside its last tensor for a good one.

`inference.pdiparams` is a row of tensors: version (uint32), levels of detail (uint64, then a size and so many bytes for
each), version (uint32), length of a message TensorDesc {data_type = 1, dims = 2} (int32), the message, the values.
"""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path
from typing import BinaryIO

from ppcls.untrusted.paddle_programs import shape_of
from ppcls.untrusted.protobuf import Budget, Message
from ppcls.untrusted.refusals import refusals, require

# Of a value, by Paddle's number of its type
_BYTES = {0: 1, 1: 2, 2: 4, 3: 8, 4: 2, 5: 4, 6: 8, 20: 1, 21: 1, 22: 2}
_AXES = 9  # of a tensor of Paddle, at most
_LEVELS = 16  # of sequences, which pictures have none of
_DESCRIPTION_BYTES = 1000  # of a type and at most nine sides


def check_parameters(parameters: Path) -> None:
    """Walks from tensor to tensor, without reading their values.

    Raises:
        UserError: the file does not end where its last tensor does.
    """
    with refusals(parameters, "file of parameters"), parameters.open("rb") as file:
        size = parameters.stat().st_size
        require(size > 0, "it is empty")
        budget = Budget()
        while file.tell() < size:
            _pass_tensor(file, size, budget)


def _pass_tensor(file: BinaryIO, size: int, budget: Budget) -> None:
    budget.take()
    _, levels = struct.unpack("<IQ", file.read(12))
    require(levels <= _LEVELS, f"a tensor with {levels} levels of detail")
    for _ in range(levels):
        _pass(file, struct.unpack("<Q", file.read(8))[0], size)
    _, length = struct.unpack("<Ii", file.read(8))
    is_possible = 0 <= length <= _DESCRIPTION_BYTES
    require(is_possible, f"a tensor's description of {length} bytes")
    description = Message(memoryview(file.read(length)), budget)
    (kind,) = description.numbers(1)
    require(kind in _BYTES, f"a tensor of the unknown type {kind!r}")
    shape = shape_of(description)
    # A negative size would lead back in the file, without end
    is_possible = len(shape) <= _AXES and min(shape, default=0) >= 0
    require(is_possible, f"a tensor of the impossible shape {list(shape[: _AXES + 1])}")
    _pass(file, _BYTES[kind] * prod(shape), size)


def _pass(file: BinaryIO, count: int, size: int) -> None:
    end = file.tell() + count
    require(end <= size, f"its last tensor ends at byte {end} of {size}")
    file.seek(end)
