"""`ppcls.deployment.onnx.child PROGRAM PARAMETERS OUT OPSET INPUT OUTPUT`, a program: one conversion by paddle2onnx.

A process of its own, because paddle2onnx ends the process that it runs in where it does not know what to do.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from ppcls.utils.load_paddle import load_paddle


def convert(program: Path, parameters: Path, opset: int, names: tuple[str, str]) -> Any:
    """The ONNX model of a program, its input and output called by `names`, its batch axis `batch`."""
    load_paddle()
    import onnx
    import paddle2onnx

    # Its own optimizers are left out: one installs packages where it misses some, another drops what it needs.
    content = paddle2onnx.export(
        str(program), str(parameters), opset_version=opset, optimize_tool="None"
    )
    model = onnx.load_from_string(content)
    tidy(model.graph)
    _rename(model.graph, names)
    # 3, of opset 7, lists parameters among the inputs
    model.ir_version = max(model.ir_version, 4)
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.checker.check_model(model, full_check=True)
    return model


def tidy(graph: Any) -> None:
    """Writes a graph of paddle2onnx as other exporters would; what it computes stays the same.

    There every parameter is an operation, an identity follows every operation, and every bias is reshaped and added.
    """
    _clear(graph)
    _give_biases(graph)
    _drop_unused(graph)


def _clear(graph: Any) -> None:
    """Makes constants initializers, and leaves identities out."""
    names: dict[str, str] = {}
    results, kept = {port.name for port in graph.output}, []
    for node in graph.node:  # each stands behind those that it reads
        node.input[:] = [names.get(name, name) for name in node.input]
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            tensor = graph.initializer.add()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = node.output[0]
        elif node.op_type == "Identity" and node.output[0] not in results:
            names[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    _keep(graph.node, kept)


def _give_biases(graph: Any) -> None:
    """Makes a convolution plus a parameter [C] as [1, C, 1, 1] a convolution with a bias."""
    parameters = {tensor.name for tensor in graph.initializer}
    makers = {node.output[0]: node for node in graph.node}
    uses = Counter(name for node in graph.node for name in node.input)
    for add in [node for node in graph.node if node.op_type == "Add"]:
        conv, reshape = (makers.get(name) for name in add.input)
        if (
            conv is None
            or reshape is None
            or (conv.op_type, reshape.op_type) != ("Conv", "Reshape")
        ):
            continue
        bias = reshape.input[0]
        if len(conv.input) == 2 and bias in parameters and uses[conv.output[0]] == 1:
            conv.input.append(bias)
            conv.output[0] = add.output[0]
            graph.node.remove(add)


def _drop_unused(graph: Any) -> None:
    """Leaves out what no result is made of."""
    used, kept = {port.name for port in graph.output}, []
    for node in reversed(graph.node):
        if used.intersection(node.output):
            used.update(node.input)
            kept.append(node)
    _keep(graph.node, kept[::-1])
    _keep(
        graph.initializer,
        [tensor for tensor in graph.initializer if tensor.name in used],
    )


def _rename(graph: Any, names: tuple[str, str]) -> None:
    """Gives input and output their names: paddle2onnx calls the output of a program of Paddle 2 by another."""
    (image,), (scores,) = graph.input, graph.output
    new = {image.name: names[0], scores.name: names[1]}
    for node in graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
    image.name, scores.name = names


def _keep(messages: Any, kept: list[Any]) -> None:
    """Sets a repeated field of protobuf."""
    copies = [type(message).FromString(message.SerializeToString()) for message in kept]
    del messages[:]
    messages.extend(copies)


def main(
    program: str, parameters: str, out: str, opset: str, image: str, scores: str
) -> None:
    """Writes the file `out`."""
    model = convert(Path(program), Path(parameters), int(opset), (image, scores))
    Path(out).write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main(*sys.argv[1:])
