"""ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppcls.inference.backends.common import (
    BackendPool,
    begin,
    check_names,
    loading,
    onnx_or_quantized,
)
from ppcls.inference.bundle import Bundle
from ppcls.inference.settings import Settings
from ppcls.utils.cpu import threads_for_inference
from ppcls.utils.environment import import_optional

DEFAULTS = Settings("onnxruntime")
_ERRORS_ONLY = 3


class OnnxRuntimeBackend:
    """Runs a bundle's ONNX form, or its int8 form, by ONNX Runtime on the CPU. Threads may share it.

    Args:
        bundle: what to run; its files are compared with their digests first.
        settings: float32 or int8; with several requests, so many batches run at the same time.

    Raises:
        Unavailable: the bundle has no such form, or ONNX Runtime is not installed.
        UserError: the bundle is damaged.
    """

    def __init__(self, bundle: Bundle, settings: Settings = DEFAULTS) -> None:
        checked = begin(onnx_or_quantized, bundle, settings)
        engine = import_optional("onnxruntime", "ONNX Runtime", "onnxruntime")
        file = checked()
        with loading("ONNX Runtime", file):
            self._session = engine.InferenceSession(
                str(file),
                _options(engine, settings),
                providers=["CPUExecutionProvider"],
            )
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        check_names(
            file,
            bundle,
            [port.name for port in inputs],
            [port.name for port in outputs],
        )
        self._input, self._outputs = bundle.input.name, [bundle.output.name]
        self._pool = BackendPool(range(settings.requests))

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the scores, float32 [N, class_num]."""
        with self._pool.take():
            return self._session.run(
                self._outputs, {self._input: np.ascontiguousarray(batch)}
            )[0]


def _options(engine: Any, settings: Settings) -> Any:
    options = engine.SessionOptions()
    # A session's requests share its threads, and the thread that calls `run` counts as one: with N requests in
    # flight there are N of those. Set in any case, or it binds threads to cores that a container may not have.
    options.intra_op_num_threads = max(
        1, (settings.threads or threads_for_inference()) - settings.requests + 1
    )
    options.log_severity_level = _ERRORS_ONLY
    return options
