"""Paddle Inference."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.inference.backends.common import (
    PooledBackend,
    begin,
    check_names,
    engine_processes,
)
from ppcls.inference.bundle import ONNX_SUFFIX, Bundle
from ppcls.inference.settings import DEFAULTS, Settings
from ppcls.utils.cpu import threads_for_inference
from ppcls.utils.errors import Unavailable, expect_available
from ppcls.utils.load_paddle import load_paddle, missing_gpu

LEGACY = ".pdmodel"  # of Paddle 2
_NO_GPU = "-o Global.use_gpu=False or --device cpu (in Python, device='cpu')"


class PaddleBackend(PooledBackend):
    """Runs a bundle's program by Paddle Inference. Threads may share it.

    Args:
        bundle: what to run; its files are compared with their digests first.
        settings: device, precision, threads and kernels; several requests are as many processes, see `engine_process`.

    Raises:
        UserError: the bundle is damaged, or Paddle cannot do here what the settings ask for.
    """

    def __init__(self, bundle: Bundle, settings: Settings = DEFAULTS) -> None:
        if settings.requests == 1:
            super().__init__([_load(bundle, settings)])
        else:
            super().__init__(engine_processes(bundle, settings))


def _load(bundle: Bundle, settings: Settings) -> LoadedPredictor:
    checked = begin(bundle.checked, bundle.program, bundle.parameters)
    check(bundle.path_of(bundle.program), settings)
    program, parameters = checked()
    return LoadedPredictor.of(bundle, open_predictor(program, parameters, settings))


class LoadedPredictor:
    """A predictor of Paddle in this process, of one input and one output, for one thread at a time."""

    def __init__(self, predictor: Any) -> None:
        (input_name,), (output_name,) = (
            predictor.get_input_names(),
            predictor.get_output_names(),
        )
        self._predictor = predictor
        self._input = predictor.get_input_handle(input_name)
        self._output = predictor.get_output_handle(output_name)

    @classmethod
    def of(cls, bundle: Bundle, predictor: Any) -> LoadedPredictor:
        """A predictor of a bundle's program.

        Raises:
            UserError: its inputs and outputs are not those of the manifest.
        """
        check_names(
            bundle.path_of(bundle.program),
            bundle,
            predictor.get_input_names(),
            predictor.get_output_names(),
        )
        return cls(predictor)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W], contiguous, to the scores, float32 [N, class_num]."""
        self._input.copy_from_cpu(batch)
        self._predictor.run()
        return self._output.copy_to_cpu()


def check(program: Path, settings: Settings) -> None:
    """Whether this Paddle, on this machine, can do what the settings ask for.

    Raises:
        Unavailable: it cannot.
    """
    expect_available(
        program.suffix != ONNX_SUFFIX,
        f"{program} is an ONNX program, which Paddle does not run; write backend onnxruntime or openvino",
    )
    load_paddle()
    if settings.device == "gpu":
        require_gpu("a GPU is asked for", _NO_GPU)
        return
    # Under a limit, even one above the threads in use, its grouped convolutions (DPN107) answer wrong scores.
    expect_available(
        not (settings.onednn and os.environ.get("OMP_THREAD_LIMIT")),
        "oneDNN in Paddle's predictor computes wrong scores while the environment variable OMP_THREAD_LIMIT is set; "
        "unset it (OMP_NUM_THREADS limits the threads safely)",
    )
    if settings.precision == "bfloat16":
        _require_bfloat16(program, settings)


def open_predictor(
    program: Path, parameters: Path, settings: Settings = DEFAULTS
) -> Any:
    """A predictor of Paddle Inference, configured as Paddle's versions need it; see `PaddleBackend`."""
    check(program, settings)
    from paddle.inference import Config, PrecisionType, create_predictor

    config = Config(str(program), str(parameters))
    config.disable_glog_info()  # else every optimisation pass prints a line
    if settings.device == "gpu":
        half = settings.precision == "float16"
        # MiB to begin with, number of the GPU
        config.enable_use_gpu(
            256, 0, PrecisionType.Half if half else PrecisionType.Float32
        )
        config.enable_memory_optim()
        return create_predictor(config)
    # No enable_memory_optim here: with the programs of Paddle 3 it raises on a CPU.
    config.disable_gpu()
    threads = settings.threads or threads_for_inference()
    config.set_cpu_math_library_num_threads(threads)
    if settings.onednn:
        config.enable_mkldnn()
        if settings.precision == "bfloat16":
            config.enable_mkldnn_bfloat16()
        # Paddle 3.3.1 raises in this pass where a ReLU follows a concatenation of convolutions (SqueezeNet).
        config.delete_pass("conv_concat_activation_onednn_fuse_pass")
    else:
        config.disable_mkldnn()
    return create_predictor(config)


def require_gpu(reason: str, remedy: str) -> None:
    """Whether this machine has a GPU that this Paddle can use.

    Raises:
        Unavailable: it has none; `reason` says why one is needed, `remedy` what to write instead.
    """
    missing = missing_gpu()
    if missing:
        raise Unavailable(
            f"{reason}, but {missing}; write {remedy}, or install paddlepaddle-gpu for your CUDA version "
            "(requirements-gpu.txt)"
        )


def _require_bfloat16(program: Path, settings: Settings) -> None:
    from paddle.base import core

    expect_available(
        settings.onednn,
        "Paddle computes in bfloat16 by oneDNN's kernels alone; leave them on, or write float32",
    )
    expect_available(
        core.supports_bfloat16(),
        "this processor does not compute in bfloat16; write precision float32",
    )
    expect_available(
        program.suffix != LEGACY,
        f"{program} is a program of Paddle 2, which Paddle {load_paddle().__version__} does not run in bfloat16; "
        "write precision float32, or backend paddle-openvino",
    )
