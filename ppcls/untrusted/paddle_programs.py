"""Reads the inputs that a program's file states, and whether its file of parameters is whole, without Paddle.

`inference.pdmodel` is a message `ProgramDesc` in the protobuf wire format, `inference.json` Paddle 3's own JSON. What
matters here of the first: ProgramDesc {blocks = 1}, BlockDesc {vars = 3, ops = 4}, OpDesc {outputs = 2, type = 3} with
pairs {arguments = 2}, and VarDesc {name = 1, type = 2 {lod_tensor = 3 {tensor = 1}}} with a TensorDesc {dims = 2}.

`inference.pdiparams` is a row of tensors: version (uint32), levels of detail (uint64, then a size and so many bytes for
each), version (uint32), length of a message TensorDesc {data_type = 1, dims = 2} (int32), the message, the values.
Paddle takes a file that was cut inside its last tensor for a good one.
"""

from __future__ import annotations

import json
import struct
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from ppcls.untrusted.protobuf import Budget, Message
from ppcls.untrusted.refusals import refusals, require

Shape = tuple[int, ...]
# A side of a TensorDesc: -1, and 1 in as many bytes
_ANY = b"\x10" + b"\xff" * 9 + b"\x01"
_ONE = b"\x10\x81" + b"\x80" * 8 + b"\x00"
_MAX_BYTES = 256 << 20
_MAX_AXES = 9  # of a tensor of Paddle


def declared_inputs(program: Path) -> dict[str, Shape]:
    """Names and shapes of a program's inputs, -1 for what is not fixed.

    Raises:
        UserError: the file cannot be read or is damaged.
    """
    with refusals(program, "program of Paddle"):
        content = _read(program)
        if program.suffix == ".json":
            inputs = _of_json(json.loads(content))
        else:
            inputs = _of_protobuf(memoryview(content))
        for shape in inputs.values():
            _check_shape(shape)
        return inputs


def shape_of(tensor: Message) -> Shape:
    """The shape in a message TensorDesc, whose numbers are signed."""
    return tuple(map(_signed, tensor.numbers(2)))


def _signed(number: int) -> int:
    """Return the number that protobuf writes as an unsigned one of 64 bits."""
    if number >= 1 << 63:
        return number - (1 << 64)
    return number


def _check_shape(shape: Shape) -> None:
    require(len(shape) <= _MAX_AXES, f"an input has {len(shape)} axes")
    largest = max(map(abs, shape), default=0)
    require(largest < 1 << 63, "a side of an input has more than 64 bits")


def _of_json(program: Any) -> dict[str, Shape]:
    (region,) = program["program"]["regions"]
    found = {}
    for operation in region["blocks"][0]["ops"]:
        if not operation["#"].endswith(".data"):
            continue
        attributes = {}
        for attribute in operation["A"]:
            attributes[attribute["N"]] = attribute["AT"]["D"]
        found[str(attributes["name"])] = tuple(map(int, attributes["shape"]))
    return found


def for_one_picture(program: Path) -> bytes:
    """A program of Paddle 2 whose inputs have a first axis of 1, where any number was allowed.

    Raises:
        UserError: the file cannot be read or is damaged.
    """
    with refusals(program, "program of Paddle"):
        content = bytearray(_read(program))
        for description in _described(memoryview(content)).values():
            if shape_of(Message(description, Budget()))[:1] == (-1,):
                description[:] = bytes(description).replace(_ANY, _ONE, 1)
        return bytes(content)


def _read(program: Path) -> bytes:
    is_small = program.stat().st_size <= _MAX_BYTES
    require(is_small, f"it has more than {_MAX_BYTES >> 20} MiB")
    return program.read_bytes()


def _of_protobuf(content: memoryview) -> dict[str, Shape]:
    described = _described(content)
    return {name: shape_of(Message(each, Budget())) for name, each in described.items()}


def _described(content: memoryview) -> dict[str, memoryview]:
    """The message TensorDesc of each input."""
    block = next(Message(content, Budget()).messages(1))
    fed = dict.fromkeys(_fed(block))  # quick to search, in their order
    found = {}
    for variable in block.messages(3):
        name = variable.text(1)
        if name in fed:
            found[name] = _tensor(variable)
    return {name: found[name] for name in fed}


def _fed(block: Message) -> list[str]:
    """The names of the values that come from outside."""
    names: list[str] = []
    for operation in block.messages(4):
        if operation.text(3) != "feed":
            continue
        for pair in operation.messages(2):
            names += [bytes(name).decode() for name in pair.bytes_of(2)]
    return names


def _tensor(variable: Message) -> memoryview:
    """The message TensorDesc of a variable."""
    (kind,) = variable.messages(2)
    (lod_tensor,) = kind.messages(3)
    (tensor,) = lod_tensor.bytes_of(1)
    return tensor


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
