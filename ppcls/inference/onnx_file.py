"""An ONNX file of another library as a bundle in memory: timm's or torchvision's models through this runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import ppcls
from ppcls.arch.weights.sources import Preprocessing, find_source
from ppcls.data.transforms import Pipeline
from ppcls.inference.bundle import Bundle, digested
from ppcls.inference.entries import MEANINGS, Input, Output
from ppcls.inference.settings import Settings
from ppcls.untrusted.protobuf import messages, numbers
from ppcls.untrusted.refusals import Damaged, refusals
from ppcls.utils.errors import UserError, suggest
from ppcls.utils.files import PathLike

Preprocess = str | Mapping[str, Any] | Sequence[Any] | Preprocessing
# Name, element type, shape with -1 for what is not fixed
Port = tuple[str, int, tuple[int, ...]]
_FLOAT32 = 1  # of TensorProto.DataType
# Operators that move no value
_PASSING = (b"Identity", b"Cast", b"Reshape", b"Flatten", b"Squeeze", b"Unsqueeze")
_BATCH_AXIS = (
    "export it again with a batch axis that is not fixed "
    "(torch.onnx.export(..., dynamic_axes={'input': {0: 'batch'}}))"
)


def bundle_of_onnx(file: PathLike, preprocess: Preprocess, output: str) -> Bundle:
    """Describes an ONNX file, which says neither what its pictures look like nor what its scores are.

    Args:
        file: takes float32 [N, C, H, W], gives float32 [N, class_num]; N is any number, or fixed to 1.
        preprocess: a row of the table of models (`DLA34/timm`), the fields of `Preprocessing` (`{"size": 224,
            "resize_short": 256, "backend": "pil"}`), or a list of transforms as a configuration has it.
        output: `logits` or `probabilities`.

    Returns:
        A bundle whose program is the file itself, which has no golden picture, and which ONNX Runtime runs unless
        another engine is asked for.

    Raises:
        UserError: the file is no such program, or the preprocessing is none or does not fit.
    """
    path = Path(file)
    if output not in MEANINGS:
        raise UserError(
            f"{path} does not say what its scores are; write output='logits' (as the models of timm and torchvision "
            "give) or output='probabilities'"
        )
    program = _read(path)
    (name, shape), (scores, class_num) = (
        _input(path, program.inputs),
        _output(path, program.outputs),
    )
    if output == "logits" and program.ends_in_softmax:
        raise UserError(
            f"{path} ends in softmax, so its scores are no logits; write output='probabilities'"
        )
    try:
        pipeline = Pipeline.from_list(transforms_of(preprocess))
        entry = digested(path)
        return Bundle(
            folder=path.parent,
            library=ppcls.__version__,
            paddle="none",
            architecture=path.stem,
            config_sha256=None,
            weights_sha256=None,
            program=entry,
            parameters=entry,
            input=Input(
                name,
                (shape[0], *_fixed(pipeline, shape)),
                "float32",
                "NCHW",
                pipeline.color,
            ),
            output=Output(scores, (-1, class_num), output),
            transforms=tuple(pipeline.normalized().to_list()),
            class_names=None,
            golden=None,
            onnx=entry,
            settings=Settings("onnxruntime"),
        )
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error


def _fixed(pipeline: Pipeline, shape: Sequence[int]) -> list[int]:
    """Channels, height and width: the program's, and where it takes any, the pipeline's."""
    made = pipeline.output_size or (-1, -1, -1)
    return [given if side == -1 else side for side, given in zip(shape[1:], made)]


def transforms_of(preprocess: Preprocess) -> list[Any]:
    """A preprocessing as a configuration lists it.

    Raises:
        ValueError: it has a key that is none, or is impossible.
        UserError: the table of models has no such row.
    """
    if isinstance(preprocess, str):
        name, _, source = preprocess.partition("/")
        preprocess = find_source(name, source or None).preprocessing
    if isinstance(preprocess, Mapping):
        known = [field.name for field in fields(Preprocessing)]
        for key in preprocess:
            if key not in known:
                raise ValueError(
                    f"preprocess has no {key!r}{suggest(str(key), known)}; it has {', '.join(known)}"
                )
        preprocess = Preprocessing.from_record(preprocess)
    if isinstance(preprocess, Preprocessing):
        return preprocess.transform_ops()
    return list(preprocess)


def _input(path: Path, ports: Sequence[Port]) -> tuple[str, tuple[int, ...]]:
    shown = ", ".join(f"{name} {list(shape)}" for name, _, shape in ports)
    if len(ports) != 1 or len(ports[0][2]) != 4 or ports[0][1] != _FLOAT32:
        raise UserError(
            f"{path} takes {shown}; this runtime gives one float32 [N, channels, height, width]"
        )
    ((name, _, shape),) = ports
    if shape[3] in (1, 3) and shape[1] not in (1, 3):
        raise UserError(
            f"{path} takes {shown}, the channels last; export it again with [N, channels, height, width]"
        )
    if shape[0] not in (-1, 1):
        raise UserError(
            f"{path} takes {shown}, always {shape[0]} pictures; {_BATCH_AXIS}"
        )
    return name, shape


def _output(path: Path, ports: Sequence[Port]) -> tuple[str, int]:
    shown = ", ".join(f"{name} {list(shape)}" for name, _, shape in ports)
    if (
        len(ports) != 1
        or len(ports[0][2]) != 2
        or ports[0][1] != _FLOAT32
        or ports[0][2][1] < 1
    ):
        raise UserError(
            f"{path} gives {shown}; this runtime reads one float32 [N, class_num], class_num being fixed"
        )
    return ports[0][0], ports[0][2][1]


class _Program(NamedTuple):
    """What an ONNX file says of itself.

    Attributes:
        inputs: without those that are parameters.
        outputs: all of them.
        ends_in_softmax: whether the first output is a softmax, its shape or its type perhaps changed.
    """

    inputs: list[Port]
    outputs: list[Port]
    ends_in_softmax: bool


def _read(path: Path) -> _Program:
    with refusals(path, "ONNX program"):
        return _parse(memoryview(path.read_bytes()))


def _parse(model: memoryview) -> _Program:
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
    return _Program(
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
