"""What an ONNX file says of its inputs and outputs, read without the onnx package."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ppcls.untrusted.protobuf import messages, numbers
from ppcls.untrusted.refusals import Damaged, refusals

# Name, element type, shape with -1 for what is not fixed
Port = tuple[str, int, tuple[int, ...]]
FLOAT32 = 1  # of TensorProto.DataType
# Operators that move no value
_PASSING = (b"Identity", b"Cast", b"Reshape", b"Flatten", b"Squeeze", b"Unsqueeze")


class OnnxProgram(NamedTuple):
    """What an ONNX file says of itself.

    Attributes:
        inputs: without those that are parameters.
        outputs: all of them.
        ends_in_softmax: whether the first output is a softmax, its shape or its type perhaps changed.
    """

    inputs: list[Port]
    outputs: list[Port]
    ends_in_softmax: bool


def read_onnx(path: Path) -> OnnxProgram:
    """Reads what an ONNX file says of itself.

    Raises:
        UserError: the file cannot be read or is damaged.
    """
    with refusals(path, "ONNX program"):
        return _parse(memoryview(path.read_bytes()))


def _parse(model: memoryview) -> OnnxProgram:
    """Reads by the numbers of onnx.proto3.

    ModelProto.graph = 7; GraphProto: node = 1, initializer = 5, input = 11, output = 12; TensorProto.name = 8.
    """
    graphs = messages(model, 7)
    if len(graphs) != 1:
        raise Damaged(f"it has {len(graphs)} graphs")
    (graph,) = graphs
    parameters = {_text(tensor, 8) for tensor in messages(graph, 5)}
    inputs, outputs = (
        [_port(value) for value in messages(graph, number)] for number in (11, 12)
    )
    ends_in_softmax = (
        bool(outputs) and _last_operator(graph, outputs[0][0].encode()) == b"Softmax"
    )
    return OnnxProgram(
        [port for port in inputs if port[0] not in parameters], outputs, ends_in_softmax
    )


def _last_operator(graph: memoryview, output: bytes) -> bytes | None:
    """The operator that computes a value, behind those that only change its shape or type.

    NodeProto: input = 1, output = 2, op_type = 4.
    """
    makers = {
        bytes(name): node for node in messages(graph, 1) for name in messages(node, 2)
    }
    while output in makers:
        # So that a graph that leads round and round comes to an end
        node = makers.pop(output)
        operator = bytes((messages(node, 4) or [memoryview(b"")])[0])
        inputs = messages(node, 1)
        if operator not in _PASSING or not inputs:
            return operator
        output = bytes(inputs[0])
    return None


def _port(value: memoryview) -> Port:
    """ValueInfoProto: name = 1, type = 2 {tensor_type = 1 {elem_type = 1, shape = 2 {dim = 1 {dim_value = 1}}}}."""
    tensors = [tensor for kind in messages(value, 2) for tensor in messages(kind, 1)]
    if len(tensors) != 1:
        return _text(value, 1), 0, ()
    shapes = messages(tensors[0], 2)
    sides = tuple(
        (numbers(side, 1) or [-1])[0] for shape in shapes for side in messages(shape, 1)
    )
    return _text(value, 1), (numbers(tensors[0], 1) or [0])[0], sides


def _text(message: memoryview, number: int) -> str:
    return bytes((messages(message, number) or [memoryview(b"")])[0]).decode()
