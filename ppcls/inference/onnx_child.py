"""`python -m ppcls.inference.onnx_child PROGRAM PARAMETERS OUT OPSET`: one conversion by paddle2onnx.

A process of its own, because a program that paddle2onnx cannot convert ends the process that it runs in.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from ppcls.utils.load_paddle import load_paddle

# Of onnxoptimizer; paddle2onnx writes every parameter as an operation, and an identity after every other.
_CLEARING = ("extract_constant_to_initializer", "eliminate_identity")
_FUSING = ("fuse_bn_into_conv", "eliminate_deadend", "eliminate_unused_initializer")


def convert(program: Path, parameters: Path, opset: int) -> Any:
    """The ONNX model of a program, its batch axis named `batch`."""
    load_paddle()
    import onnx
    import onnxoptimizer
    import paddle2onnx

    # Its own choice among optimizers installs packages where it likes some that are missing.
    content = paddle2onnx.export(str(program), str(parameters), opset_version=opset, optimize_tool="None")
    model = onnx.load_from_string(content)
    model = onnxoptimizer.optimize(model, list(_CLEARING))
    _give_biases(model.graph)
    model = onnxoptimizer.optimize(model, list(_FUSING))
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.checker.check_model(model, full_check=True)
    return model


def _give_biases(graph: Any) -> None:
    """Makes convolution + (bias reshaped to [1, C, 1, 1]), as paddle2onnx writes it, a convolution with a bias."""
    parameters = {tensor.name for tensor in graph.initializer}
    makers = {node.output[0]: node for node in graph.node}
    uses = Counter(name for node in graph.node for name in node.input)
    for add in [node for node in graph.node if node.op_type == "Add"]:
        conv, reshape = (makers.get(name) for name in add.input)
        if conv is None or reshape is None or (conv.op_type, reshape.op_type) != ("Conv", "Reshape"):
            continue
        bias = reshape.input[0]
        if len(conv.input) == 2 and bias in parameters and uses[conv.output[0]] == 1:
            conv.input.append(bias)
            conv.output[0] = add.output[0]
            graph.node.remove(add)


def main(program: str, parameters: str, out: str, opset: str) -> None:
    """Writes the file `out`."""
    Path(out).write_bytes(convert(Path(program), Path(parameters), int(opset)).SerializeToString())


if __name__ == "__main__":
    main(*sys.argv[1:])
