"""OpenVINO."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ppcls.inference.backends.common import (
    BackendPool,
    begin,
    check_names,
    in_parts,
    loading,
    onnx_or_quantized,
    pictures_of_form_together,
)
from ppcls.inference.bundle import Bundle
from ppcls.inference.settings import Settings
from ppcls.utils.cpu import threads_for_inference
from ppcls.utils.environment import import_optional
from ppcls.utils.errors import Unavailable

DEFAULTS = Settings("openvino")
# Set in any case: on processors that have bfloat16, OpenVINO takes it for float32 programs by itself.
_HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}


class OpenVinoBackend:
    """Runs a bundle's ONNX form, or its int8 form, by OpenVINO on the CPU. Threads may share it.

    Args:
        bundle: what to run; its files are compared with their digests first.
        settings: float32, bfloat16 or int8; with several requests, so many batches run at the same time.

    Raises:
        Unavailable: the bundle has no such form, OpenVINO is not installed, or this processor does not compute in
            bfloat16.
        UserError: the bundle is damaged.
    """

    def __init__(self, bundle: Bundle, settings: Settings = DEFAULTS) -> None:
        checked = begin(onnx_or_quantized, bundle, settings)
        core = import_optional("openvino", "OpenVINO", "openvino").Core()
        if settings.precision == "bfloat16" and "BF16" not in core.get_property(
            "CPU", "OPTIMIZATION_CAPABILITIES"
        ):
            raise Unavailable(
                "this processor does not compute in bfloat16; write precision float32 or int8"
            )
        files = checked()
        file = files[0]
        self._together = pictures_of_form_together(bundle, files, settings)
        with loading("OpenVINO", file):
            program = core.read_model(file)
        check_names(file, bundle, _names(program.inputs), _names(program.outputs))
        with loading("OpenVINO", file):
            if self._together == 1:  # a fixed shape is quicker
                program.reshape([1, *bundle.input.shape[1:]])
            model = core.compile_model(program, "CPU", _properties(settings))
        self._pool = BackendPool(
            model.create_infer_request() for _ in range(settings.requests)
        )

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the scores, float32 [N, class_num]."""
        with self._pool.take() as request:
            run = partial(_infer, request)
            return in_parts(run, np.ascontiguousarray(batch), self._together)


def _infer(request: Any, batch: np.ndarray) -> np.ndarray:
    request.infer([batch], share_inputs=True)
    return request.get_output_tensor(0).data.copy()


def _properties(settings: Settings) -> dict[str, Any]:
    return {
        "INFERENCE_PRECISION_HINT": _HINTS[settings.precision],
        "INFERENCE_NUM_THREADS": settings.threads or threads_for_inference(),
        "NUM_STREAMS": settings.requests,
    }


def _names(ports: Any) -> list[str]:
    return [port.get_any_name() for port in ports]
