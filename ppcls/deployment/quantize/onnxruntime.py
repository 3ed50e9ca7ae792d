"""ONNX Runtime's static quantization, with nodes that quantize and dequantize (QDQ)."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.deployment.quantize.layers import outer_layers
from ppcls.deployment.quantize.options import FEWEST_BINS, PERCENTILE, QuantizeOptions
from ppcls.utils.environment import import_optional

FILES = ("inference.onnxruntime-int8.onnx",)
_LAYERS = ("Conv", "Gemm", "MatMul")
# The operators that run in int8. Softmax does not: in steps of 1/256 small probabilities would be lost.
_QUANTIZED = (
    *_LAYERS, "Add", "AveragePool", "Clip", "Concat", "Flatten", "GlobalAveragePool", "LeakyRelu", "MaxPool", "Mul",
    "Relu", "Reshape", "Sigmoid", "Squeeze", "Transpose", "Unsqueeze",
)  # fmt: skip
_PICTURES_AT_A_TIME = 4  # a calibrator keeps all their activations


def require() -> Any:
    """Import ONNX Runtime and the packages that its quantization needs.

    Raises:
        Unavailable: A package is not installed.
    """
    for package in ("onnx", "ml_dtypes"):
        import_optional(package, f"The package {package}", "quantize")
    return import_optional("onnxruntime", "ONNX Runtime", "quantize")


def quantize(
    onnx: Path, inputs: np.ndarray, options: QuantizeOptions, folder: Path
) -> str:
    """Write `FILES` into `folder`.

    Args:
        onnx: The float32 program.
        inputs: Inputs to calibrate on, float32 [N, C, H, W].
        options: Ranges and float32 layers.
        folder: The folder for the file.

    Returns:
        The method in words.

    Raises:
        UserError: ONNX Runtime or onnx is not installed.
    """
    engine = require()
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.quant_utils import (
        QuantType,
        load_model_with_shape_infer,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    # Batch norms are folded into convolutions, and shapes inferred.
    prepared = folder / "prepared.onnx"
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        quant_pre_process(str(onnx), str(prepared), skip_symbolic_shape=True)
        ranges = _ranges(prepared, inputs, options, folder / "augmented.onnx")
        model = load_model_with_shape_infer(prepared)
        # `quantize_static` does the same, but keeps the activations of all pictures and has no option for bins.
        quantizer = QDQQuantizer(
            model,
            per_channel=True,
            reduce_range=False,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=ranges,
            nodes_to_quantize=[],
            nodes_to_exclude=_float32_layers(model.graph, options.float32_layers),
            op_types_to_quantize=list(_QUANTIZED),
            extra_options={},
        )
        quantizer.quantize_model()
        quantizer.model.save_model_to_file(str(folder / FILES[0]), False)
    return f"ONNX Runtime {engine.__version__}, QDQ, activations unsigned, weights signed per channel; {options.words}"


def _ranges(
    model: Path, inputs: np.ndarray, options: QuantizeOptions, augmented: Path
) -> Any:
    """Estimate the ranges of all activations."""
    from onnxruntime.quantization.calibrate import CalibrationMethod, create_calibrator

    method, extra = CalibrationMethod.MinMax, {}
    if options.estimator == "percentile":
        method = CalibrationMethod.Percentile
        extra = {
            "symmetric": False,
            "num_bins": FEWEST_BINS,
            "percentile": options.percentile or PERCENTILE,
        }
    elif options.estimator == "entropy":
        method = CalibrationMethod.Entropy
        extra = {"num_bins": options.bins or FEWEST_BINS}
    calibrator = create_calibrator(
        model,
        list(_QUANTIZED),
        augmented_model_path=str(augmented),
        calibrate_method=method,
        extra_options=extra,
    )
    (port,) = calibrator.infer_session.get_inputs()
    for start in range(0, len(inputs), _PICTURES_AT_A_TIME):
        pictures = inputs[start : start + _PICTURES_AT_A_TIME]
        calibrator.collect_data(_CalibrationReader(port.name, pictures))
    return calibrator.compute_data()


class _CalibrationReader:
    """Gives inputs to a calibrator, one at a time."""

    def __init__(self, name: str, inputs: np.ndarray) -> None:
        self._batches: Iterator[dict[str, np.ndarray]] = (
            {name: tensor[np.newaxis]} for tensor in inputs
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next picture by the name of the program's input; None after the last one."""
        return next(self._batches, None)


def _float32_layers(graph: Any, which: str) -> list[str]:
    """Names of the nodes that stay float32."""
    takers: dict[str, list[str]] = defaultdict(list)
    for node in graph.node:
        for value in node.input:
            takers[value].append(node.name)
    outputs = {value.name for value in graph.output}
    consumers = {node.name: _taking(node.output, takers) for node in graph.node}
    layers = {node.name for node in graph.node if node.op_type in _LAYERS}
    end = [node.name for node in graph.node if outputs.intersection(node.output)]
    weights = {value.name for value in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in weights]
    return outer_layers(consumers, layers, _taking(inputs, takers), end, which)


def _taking(values: Iterable[str], takers: Mapping[str, list[str]]) -> list[str]:
    """Names of the nodes that take some of the values."""
    return list(itertools.chain.from_iterable(takers[value] for value in values))
