"""What a program's file says of its inputs, read without Paddle.

`inference.pdmodel` is a message `ProgramDesc` in the protobuf wire format, `inference.json` Paddle 3's own JSON. What
matters here of the first: ProgramDesc {blocks = 1}, BlockDesc {vars = 3, ops = 4}, OpDesc {outputs = 2, type = 3} with
pairs {arguments = 2}, and VarDesc {name = 1, type = 2 {lod_tensor = 3 {tensor = 1}}} with a TensorDesc {dims = 2}.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ppcls.untrusted.protobuf import messages, numbers
from ppcls.untrusted.refusals import refusals

Shape = tuple[int, ...]


def declared_inputs(program: Path) -> dict[str, Shape]:
    """Names and shapes of a program's inputs, -1 for what is not fixed.

    Raises:
        UserError: the file cannot be read or is damaged.
    """
    with refusals(program, "program of Paddle"):
        content = program.read_bytes()
        return (
            _of_json(json.loads(content))
            if program.suffix == ".json"
            else _of_protobuf(memoryview(content))
        )


def shape_of(tensor: memoryview) -> Shape:
    """The shape in a message TensorDesc, whose numbers are signed."""
    return tuple(
        side - (1 << 64) if side >= 1 << 63 else side for side in numbers(tensor, 2)
    )


def _of_json(program: Any) -> dict[str, Shape]:
    (region,) = program["program"]["regions"]
    found = {}
    for operation in region["blocks"][0]["ops"]:
        if operation["#"].endswith(".data"):
            attributes = {
                attribute["N"]: attribute["AT"]["D"] for attribute in operation["A"]
            }
            found[str(attributes["name"])] = tuple(
                int(side) for side in attributes["shape"]
            )
    return found


def _of_protobuf(program: memoryview) -> dict[str, Shape]:
    block = messages(program, 1)[0]
    fed = []
    for operation in messages(block, 4):
        if messages(operation, 3) == [b"feed"]:
            fed += [
                _text(name)
                for pair in messages(operation, 2)
                for name in messages(pair, 2)
            ]
    shapes = {}
    for variable in messages(block, 3):
        name = _text(messages(variable, 1)[0])
        if name in fed:
            tensor = variable
            for number in (2, 3, 1):
                (tensor,) = messages(tensor, number)
            shapes[name] = shape_of(tensor)
    return {name: shapes[name] for name in fed}


def _text(name: memoryview) -> str:
    return bytes(name).decode()
