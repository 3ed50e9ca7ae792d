"""ONNX Runtime."""

from __future__ import annotations

import contextlib
import functools
from typing import Any, Literal

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

DEFAULTS = Settings("onnxruntime")
_ERRORS_ONLY = 3
_SPINNING = {
    "always": {},
    "runs": {"session.force_spinning_stop": "1"},
    "never": {"session.intra_op.allow_spinning": "0"},
}


class OnnxRuntimeBackend:
    """Runs a bundle's ONNX form, or its int8 form, by ONNX Runtime on the CPU. Threads may share it.

    Args:
        bundle: what to run; its files are compared with their digests first.
        settings: float32 or int8; with several requests, so many batches run at the same time.
        spinning: when idle threads stay busy, which is quicker and takes the cores from others: `always`, while it
            `runs` a batch, or `never`.

    Raises:
        Unavailable: the bundle has no such form, or ONNX Runtime is not installed.
        UserError: the bundle is damaged.
    """

    def __init__(
        self,
        bundle: Bundle,
        settings: Settings = DEFAULTS,
        spinning: Literal["always", "runs", "never"] = "always",
    ) -> None:
        checked = begin(onnx_or_quantized, bundle, settings)
        engine = import_optional("onnxruntime", "ONNX Runtime", "onnxruntime")
        files = checked()
        file = files[0]
        _share_memory(engine)
        with loading("ONNX Runtime", file):
            self._session = engine.InferenceSession(
                str(file),
                _options(engine, settings, _SPINNING[spinning]),
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
        self._together = pictures_of_form_together(bundle, files, settings)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the scores, float32 [N, class_num]."""
        with self._pool.take():
            return in_parts(self._infer, np.ascontiguousarray(batch), self._together)

    def _infer(self, batch: np.ndarray) -> np.ndarray:
        return self._session.run(self._outputs, {self._input: batch})[0]


def _options(engine: Any, settings: Settings, entries: dict[str, str]) -> Any:
    options = engine.SessionOptions()
    # A session's requests share its threads, and the thread that calls `run` counts as one: with N requests in
    # flight there are N of those. Set in any case, or it binds threads to cores that a container may not have.
    options.intra_op_num_threads = max(
        1, (settings.threads or threads_for_inference()) - settings.requests + 1
    )
    options.log_severity_level = _ERRORS_ONLY
    for key, value in {"session.use_env_allocators": "1", **entries}.items():
        options.add_session_config_entry(key, value)
    # A plan per batch size saves no time, and its one large block leaves holes when the next batch has another size
    options.enable_mem_pattern = False
    return options


@functools.cache
def _share_memory(engine: Any) -> None:
    """Give all sessions one arena that grows by what is asked for, where it would double."""
    cpu = engine.OrtMemoryInfo(
        "Cpu",
        engine.OrtAllocatorType.ORT_ARENA_ALLOCATOR,
        0,
        engine.OrtMemType.DEFAULT,
    )
    by_need = engine.OrtArenaCfg({"arena_extend_strategy": 1})
    # Older releases raise where the program has registered one of its own, which is used then
    with contextlib.suppress(RuntimeError):
        engine.create_and_register_allocator(cpu, by_need)
