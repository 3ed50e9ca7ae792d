"""Paddle Inference."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.inference.bundle import Bundle
from ppcls.inference.settings import DEFAULTS, Settings
from ppcls.utils.cpu import usable_cores
from ppcls.utils.errors import UserError
from ppcls.utils.load_paddle import load_paddle, missing_gpu


class PaddleBackend:
    """Runs a bundle's program by Paddle Inference. Threads may share it; their batches run one after another.

    Args:
        bundle: what to run; its files are compared with their digests first.
        settings: device, threads and kernels.

    Raises:
        UserError: the bundle is damaged, or a GPU is asked for where there is none.
    """

    def __init__(self, bundle: Bundle, settings: Settings = DEFAULTS) -> None:
        program, parameters = bundle.checked(bundle.program, bundle.parameters)
        self._predictor = open_predictor(program, parameters, settings)
        inputs, outputs = self._predictor.get_input_names(), self._predictor.get_output_names()
        if inputs != [bundle.input.name] or outputs != [bundle.output.name]:
            raise UserError(
                f"{program} takes {inputs} and gives {outputs}, but its manifest says "
                f"{bundle.input.name} and {bundle.output.name}; export the model again"
            )
        self._input = self._predictor.get_input_handle(bundle.input.name)
        self._output = self._predictor.get_output_handle(bundle.output.name)
        self._lock = threading.Lock()

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the scores, float32 [N, class_num]."""
        with self._lock:
            self._input.copy_from_cpu(np.ascontiguousarray(batch))
            self._predictor.run()
            return self._output.copy_to_cpu()


def open_predictor(program: Path, parameters: Path, settings: Settings = DEFAULTS) -> Any:
    """A predictor of Paddle Inference for a program, with what its versions need said; see `PaddleBackend`."""
    load_paddle()
    from paddle.inference import Config, create_predictor

    config = Config(str(program), str(parameters))
    config.disable_glog_info()  # else every optimisation pass prints a line
    if settings.device == "gpu":
        _require_gpu()
        config.enable_use_gpu(256, 0)  # MiB to begin with, number of the GPU
        config.enable_memory_optim()
        return create_predictor(config)
    # No enable_memory_optim here: with the programs of Paddle 3 it raises on a CPU.
    config.disable_gpu()
    config.set_cpu_math_library_num_threads(settings.threads or usable_cores())
    if settings.onednn:
        config.enable_mkldnn()
        # Paddle 3.3.1 raises in this pass where a ReLU follows a concatenation of convolutions (SqueezeNet).
        config.delete_pass("conv_concat_activation_onednn_fuse_pass")
    else:
        config.disable_mkldnn()
    return create_predictor(config)


def _require_gpu() -> None:
    missing = missing_gpu()
    if missing:
        raise UserError(
            f"a GPU is asked for, but {missing}; write -o Global.use_gpu=False (in Python, device='cpu'), or install "
            "paddlepaddle-gpu for your CUDA version (requirements-gpu.txt)"
        )
