"""Reads the inputs and outputs that an ONNX file states, without the onnx package."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ppcls.untrusted.protobuf import Budget, Message
from ppcls.untrusted.refusals import refusals, require

# Name, element type, shape with -1 for what is not fixed
Port = tuple[str, int, tuple[int, ...]]
FLOAT32 = 1  # of TensorProto.DataType
# Operators that move no value
_PASSING = ("Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze")
_MAX_AXES = 64


class OnnxProgram(NamedTuple):
    """What an ONNX file states.

    Attributes:
        inputs: without those that are parameters.
        outputs: all of them.
        ends_in_softmax: whether the first output is a softmax, its shape or its type perhaps changed.
    """

    inputs: list[Port]
    outputs: list[Port]
    ends_in_softmax: bool


def read_onnx(path: Path) -> OnnxProgram:
    """Read what an ONNX file states.

    Raises:
        UserError: the file cannot be read or is damaged.
    """
    with refusals(path, "ONNX program"):
        return _parse(memoryview(path.read_bytes()))


def _parse(content: memoryview) -> OnnxProgram:
    """Reads by the numbers of onnx.proto3.

    ModelProto.graph = 7; GraphProto: node = 1, initializer = 5, input = 11, output = 12; TensorProto.name = 8.
    """
    model = Message(content, Budget())
    graphs = list(model.messages(7))
    require(len(graphs) == 1, f"it has {len(graphs)} graphs")
    (graph,) = graphs
    parameters = {tensor.text(8) for tensor in graph.messages(5)}
    inputs = [
        port for port in map(_port, graph.messages(11)) if port[0] not in parameters
    ]
    outputs = list(map(_port, graph.messages(12)))
    last_operator = _last_operator(graph, outputs[0][0]) if outputs else None
    return OnnxProgram(inputs, outputs, last_operator == "Softmax")


def _last_operator(graph: Message, output: str) -> str | None:
    """The operator that computes a value, behind those that only change its shape or type.

    NodeProto: input = 1, output = 2, op_type = 4.
    """
    makers: dict[str, Message] = {}
    for node in graph.messages(1):
        for name in node.bytes_of(2):
            makers[bytes(name).decode()] = node
    while output in makers:
        # So that a graph that leads round and round comes to an end
        node = makers.pop(output)
        operator = node.text(4)
        if operator not in _PASSING or not node.bytes_of(1):
            return operator
        output = node.text(1)
    return None


def _port(value: Message) -> Port:
    """ValueInfoProto: name = 1, type = 2 {tensor_type = 1 {elem_type = 1, shape = 2 {dim = 1 {dim_value = 1}}}}."""
    tensors = _within(value.messages(2), 1)
    name = value.text(1)
    if len(tensors) != 1:
        return name, 0, ()
    (tensor,) = tensors
    element_type = next(iter(tensor.numbers(1)), 0)
    sides = _within(tensor.messages(2), 1)
    require(len(sides) <= _MAX_AXES, f"an input or output has {len(sides)} axes")
    shape = [next(iter(side.numbers(1)), -1) for side in sides]
    return name, element_type, tuple(shape)


def _within(messages: Iterable[Message], number: int) -> list[Message]:
    """Return the messages that messages have in a field of this number."""
    found: list[Message] = []
    for message in messages:
        found += message.messages(number)
    return found
