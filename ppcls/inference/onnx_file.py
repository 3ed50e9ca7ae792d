"""An ONNX file of another library as a bundle in memory: timm's or torchvision's models through this runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ppcls
from ppcls.arch.weights.sources import Preprocessing, find_source
from ppcls.data.transforms import Pipeline
from ppcls.inference.bundle import Bundle, digested
from ppcls.inference.entries import MEANINGS, Input, ModelOrigin, Output, shape_text
from ppcls.inference.settings import Settings
from ppcls.untrusted.onnx_programs import FLOAT32, Port, read_onnx
from ppcls.untrusted.refusals import shown
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import PathLike

Preprocess = str | Mapping[str, Any] | Sequence[Any] | Preprocessing
_ONE_INPUT = "this runtime gives one float32 [N, channels, height, width]"
_ONE_OUTPUT = "this runtime reads one float32 [N, class_num], class_num being fixed"
_BATCH_AXIS = (
    "export it again with a batch axis that is not fixed "
    "(torch.onnx.export(..., dynamic_axes={'input': {0: 'batch'}}))"
)


def bundle_of_onnx(file: PathLike, preprocess: Preprocess, output: str) -> Bundle:
    """Describe an ONNX file, which states neither its preprocessing nor what its scores are.

    Args:
        file: takes float32 [N, C, H, W], gives float32 [N, class_num]; N is any number, or fixed to 1.
        preprocess: a row of the table of models (`DLA34/timm`), the fields of `Preprocessing` (`{"size": 224,
            "resize_short": 256, "backend": "pil"}`), or a list of transforms as a configuration has it.
        output: `logits` or `probabilities`.

    Returns:
        A bundle whose program is the file itself, which has no golden picture, and which ONNX Runtime runs unless
        another engine is asked for.

    Raises:
        UserError: the file is not such a program, or the preprocessing is impossible or does not fit.
    """
    path = Path(file)
    expect(
        output in MEANINGS,
        f"{path} does not state what its scores are; write output='logits' (as the models of timm and torchvision "
        "give) or output='probabilities'",
    )
    program = read_onnx(path)
    name, shape = _input(path, program.inputs)
    scores, class_num = _output(path, program.outputs)
    if output == "logits" and program.ends_in_softmax:
        raise UserError(
            f"{path} ends in softmax, so its scores are not logits; write output='probabilities'"
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
            origin=ModelOrigin.ONNX,
            onnx=entry,
            settings=Settings("onnxruntime"),
        )
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error


def _fixed(pipeline: Pipeline, shape: Sequence[int]) -> list[int]:
    """Channels, height and width: the program's, or the pipeline's where the program takes any."""
    sides = list(shape[1:])
    if pipeline.output_size is not None:
        for place, given in enumerate(pipeline.output_size):
            if sides[place] == -1:
                sides[place] = given
    return sides


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
        preprocess = Preprocessing.from_record(preprocess)
    if isinstance(preprocess, Preprocessing):
        return preprocess.transform_ops()
    return list(preprocess)


def _input(path: Path, ports: Sequence[Port]) -> tuple[str, tuple[int, ...]]:
    found = _ports_text(ports)
    expect(len(ports) == 1, f"{path} takes {found}; {_ONE_INPUT}")
    ((name, element_type, shape),) = ports
    expect(
        len(shape) == 4 and element_type == FLOAT32,
        f"{path} takes {found}; {_ONE_INPUT}",
    )
    if shape[3] in (1, 3) and shape[1] not in (1, 3):
        raise UserError(
            f"{path} takes {found}, the channels last; export it again with [N, channels, height, width]"
        )
    if shape[0] not in (-1, 1):
        raise UserError(
            f"{path} takes {found}, always {shape[0]} pictures; {_BATCH_AXIS}"
        )
    return name, shape


def _output(path: Path, ports: Sequence[Port]) -> tuple[str, int]:
    found = _ports_text(ports)
    expect(len(ports) == 1, f"{path} gives {found}; {_ONE_OUTPUT}")
    ((name, element_type, shape),) = ports
    expect(
        len(shape) == 2 and element_type == FLOAT32 and shape[1] >= 1,
        f"{path} gives {found}; {_ONE_OUTPUT}",
    )
    return name, shape[1]


def _ports_text(ports: Sequence[Port]) -> str:
    """Names and shapes of inputs or outputs, the first few where there are many."""
    texts = [f"{shown(name)} {shape_text(shape)}" for name, _, shape in ports[:3]]
    if len(ports) > 3:
        texts.append(f"and {len(ports) - 3} more")
    return ", ".join(texts)
