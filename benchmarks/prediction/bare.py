"""The engines without the library: the same program files, opened as their own documentation says, on every core."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable

import numpy as np

from ppcls.inference import Bundle

Run = Callable[[np.ndarray], np.ndarray]
EXTRAS = ("onnxruntime", "openvino")


def engines(bundle: Bundle) -> list[str]:
    """Paddle, and what else is installed and finds its form of the program."""
    others = [name for name in EXTRAS if bundle.onnx and importlib.util.find_spec(name)]
    return ["paddle", *others]


def open_bare(bundle: Bundle, engine: str) -> Run:
    """Float32 [N, C, H, W] to scores, one batch at a time."""
    return {"paddle": _paddle, "onnxruntime": _onnxruntime, "openvino": _openvino}[
        engine
    ](bundle)


def _paddle(bundle: Bundle) -> Run:
    from paddle.inference import Config, create_predictor

    config = Config(
        str(bundle.path_of(bundle.program)), str(bundle.path_of(bundle.parameters))
    )
    config.disable_glog_info()
    config.disable_gpu()
    config.enable_mkldnn()
    # Raises for SqueezeNet
    config.delete_pass("conv_concat_activation_onednn_fuse_pass")
    config.set_cpu_math_library_num_threads(len(os.sched_getaffinity(0)))
    predictor = create_predictor(config)
    image = predictor.get_input_handle(bundle.input.name)
    scores = predictor.get_output_handle(bundle.output.name)

    def run(batch: np.ndarray) -> np.ndarray:
        image.copy_from_cpu(batch)
        predictor.run()
        return scores.copy_to_cpu()

    return run


def _onnxruntime(bundle: Bundle) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(
        str(bundle.path_of(bundle.onnx)), options, providers=["CPUExecutionProvider"]
    )
    return lambda batch: session.run(None, {bundle.input.name: batch})[0]


def _openvino(bundle: Bundle) -> Run:
    import openvino

    properties = {
        "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)),
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = (
        openvino.Core()
        .compile_model(str(bundle.path_of(bundle.onnx)), "CPU", properties)
        .create_infer_request()
    )
    return lambda batch: request.infer([batch], share_inputs=True)[0]
