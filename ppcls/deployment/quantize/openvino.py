"""OpenVINO's int8, by NNCF's post-training quantization."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.deployment.quantize.layers import outer_layers
from ppcls.deployment.quantize.options import QuantizeOptions
from ppcls.utils.environment import import_optional
from ppcls.utils.errors import UserError

FILES = ("inference.openvino-int8.xml", "inference.openvino-int8.bin")
_LAYERS = ("Convolution", "GroupConvolution", "MatMul")
_ESTIMATORS = {
    "minmax": "MINMAX",
    "mean": "MEAN_MINMAX",
    "percentile": "MEAN_QUANTILE",
    "histogram": "HISTOGRAM",
}


def require() -> tuple[Any, Any]:
    """Import OpenVINO and NNCF.

    Raises:
        Unavailable: One is not installed.
    """
    openvino = import_optional("openvino", "OpenVINO", "quantize")
    nncf = import_optional("nncf", "NNCF", "quantize")
    return openvino, nncf


def quantize(
    onnx: Path, inputs: np.ndarray, options: QuantizeOptions, folder: Path
) -> str:
    """Write `FILES` into `folder`.

    Args:
        onnx: The float32 program.
        inputs: Inputs to calibrate on, float32 [N, C, H, W].
        options: Ranges, bias correction and float32 layers.
        folder: The folder for the files.

    Returns:
        The method in words.

    Raises:
        UserError: NNCF or OpenVINO is not installed, or NNCF is too old for the ranges.
    """
    openvino, nncf = require()
    nncf.set_log_level(logging.ERROR)
    # Unlike `read_model`, this folds batch norms into convolutions.
    model = openvino.convert_model(onnx)
    bias = options.bias_correction or "fast"
    with _progress_on_standard_error():
        quantized = nncf.quantize(
            model,
            nncf.Dataset(np.split(inputs, len(inputs))),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(inputs),
            fast_bias_correction=bias != "full",
            ignored_scope=nncf.IgnoredScope(
                names=_float32_layers(model, options.float32_layers)
            ),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                disable_bias_correction=bias == "none",
                activations_range_estimator_params=_estimator(nncf, options),
            ),
        )
    openvino.save_model(quantized, folder / FILES[0], compress_to_fp16=False)
    version = openvino.__version__.split("-")[0]
    return (
        f"NNCF {nncf.__version__} for OpenVINO {version}, preset mixed (weights symmetric, activations asymmetric); "
        f"{options.words}; {'no' if bias == 'none' else bias} bias correction"
    )


def _float32_layers(model: Any, which: str) -> list[str]:
    """Names of the nodes that NNCF leaves in float32."""
    consumers: dict[str, Sequence[str]] = {}
    layers, begin, end = set(), [], []
    for node in model.get_ordered_ops():
        name, kind = node.get_friendly_name(), node.get_type_name()
        takers = []
        for output in node.outputs():
            for port in output.get_target_inputs():
                takers.append(port.get_node().get_friendly_name())
        consumers[name] = takers
        if kind in _LAYERS:
            layers.add(name)
        elif kind == "Parameter":
            begin.append(name)
        elif kind == "Result":
            end.append(name)
    return outer_layers(consumers, layers, begin, end, which)


def _estimator(nncf: Any, options: QuantizeOptions) -> Any:
    """NNCF's parameters for the ranges of activations."""
    from nncf.quantization import range_estimator

    if options.estimator == "percentile":
        cut = range_estimator.StatisticsCollectorParameters(
            range_estimator.StatisticsType.QUANTILE,
            range_estimator.AggregatorType.MEAN,
            quantile_outlier_prob=options.outliers,
        )
        return range_estimator.RangeEstimatorParameters(min=cut, max=cut)
    known = getattr(
        range_estimator.RangeEstimatorParametersSet,
        _ESTIMATORS[options.estimator],
        None,
    )
    if known is None:
        raise UserError(
            f"NNCF {nncf.__version__} has no ranges {options.estimator}; run `pip install --upgrade nncf`, or choose "
            "others"
        )
    return known


@contextlib.contextmanager
def _progress_on_standard_error() -> Iterator[None]:
    """Move NNCF's progress bars away from standard output, which is for results."""
    with contextlib.redirect_stdout(
        sys.stderr if sys.stderr.isatty() else io.StringIO()
    ):
        yield
