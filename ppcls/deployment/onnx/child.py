"""`python -m ppcls.deployment.onnx.child PROGRAM PARAMETERS OUT OPSET INPUT OUTPUT`: one conversion by paddle2onnx.

It runs in a child process, because paddle2onnx ends its process when it cannot convert something.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ppcls.utils.load_paddle import load_paddle


def convert(program: Path, parameters: Path, opset: int, names: tuple[str, str]) -> Any:
    """Convert a program to ONNX.

    Args:
        program: The program's file.
        parameters: The file of its parameters.
        opset: The version of ONNX's operators.
        names: Names for the input and the output; their batch axis is named `batch`.
    """
    load_paddle()
    import onnx
    import paddle2onnx

    # Without its optimizers: one of them installs packages that it misses, another removes nodes that are needed.
    content = paddle2onnx.export(
        str(program), str(parameters), opset_version=opset, optimize_tool="None"
    )
    model = onnx.load_from_string(content)
    tidy(model.graph)
    _rename(model.graph, names)
    # IR version 3, of opset 7, lists parameters among the inputs.
    model.ir_version = max(model.ir_version, 4)
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.checker.check_model(model, full_check=True)
    return model


def tidy(graph: Any) -> None:
    """Rewrite a graph of paddle2onnx as other exporters write it; what it computes stays the same.

    In the original every parameter is a node, an identity follows every node, and every bias is reshaped and added.
    """
    _clear(graph)
    _give_biases(graph)
    _drop_unused(graph)


def _clear(graph: Any) -> None:
    """Turn constants into initializers, and remove identities."""
    names: dict[str, str] = {}
    results = _names(graph.output)
    kept = []
    for node in graph.node:  # in topological order
        _replace_names(node.input, names)
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
    """Turn a convolution plus a parameter [C], reshaped to [1, C, 1, 1], into a convolution with a bias."""
    parameters = _names(graph.initializer)
    makers = {}
    uses: Counter[str] = Counter()
    for node in graph.node:
        makers[node.output[0]] = node
        uses.update(node.input)
    for add in list(graph.node):
        if add.op_type != "Add":
            continue
        conv: Any = makers.get(add.input[0])
        reshape: Any = makers.get(add.input[1])
        if _kind(conv) != "Conv" or _kind(reshape) != "Reshape":
            continue
        bias = reshape.input[0]
        is_free = len(conv.input) == 2 and uses[conv.output[0]] == 1
        if is_free and bias in parameters:
            conv.input.append(bias)
            conv.output[0] = add.output[0]
            graph.node.remove(add)


def _drop_unused(graph: Any) -> None:
    """Remove nodes and initializers that no output depends on."""
    used = _names(graph.output)
    kept = []
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
    """Rename input and output, because paddle2onnx renames the output of a Paddle 2 program."""
    (image,), (scores,) = graph.input, graph.output
    new = {image.name: names[0], scores.name: names[1]}
    for node in graph.node:
        _replace_names(node.input, new)
        _replace_names(node.output, new)
    image.name, scores.name = names


def _names(values: Any) -> set[str]:
    """The names of inputs, outputs or tensors."""
    return {value.name for value in values}


def _replace_names(names: Any, new: Mapping[str, str]) -> None:
    """Replace names in a node's inputs or outputs."""
    names[:] = [new.get(name, name) for name in names]


def _kind(node: Any | None) -> str:
    """The operator of a node; empty for None."""
    return "" if node is None else node.op_type


def _keep(messages: Any, kept: list[Any]) -> None:
    """Set a repeated field of protobuf."""
    copies = [type(message).FromString(message.SerializeToString()) for message in kept]
    del messages[:]
    messages.extend(copies)


def main(
    program: str, parameters: str, out: str, opset: str, image: str, scores: str
) -> None:
    """Convert, and write the file `out`."""
    model = convert(Path(program), Path(parameters), int(opset), (image, scores))
    Path(out).write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main(*sys.argv[1:])
