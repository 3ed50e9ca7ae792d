"""Which class runs a backend, by the backend's name. A module is imported when its engine is opened."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ppcls.inference.backends import Backend
    from ppcls.inference.bundle import Bundle
    from ppcls.inference.settings import Settings


class Engine(NamedTuple):
    """A backend's class, and the package that it loads."""

    module: str
    class_name: str
    package: str


ENGINES = {
    "paddle": Engine("ppcls.inference.backends.paddle", "PaddleBackend", "paddle"),
    "paddle-openvino": Engine(
        "ppcls.inference.backends.paddle_openvino", "PaddleOpenVinoBackend", "paddle"
    ),
    "trt": Engine("ppcls.inference.backends.tensorrt", "TensorRtBackend", "paddle"),
    "onnxruntime": Engine(
        "ppcls.inference.backends.onnxruntime", "OnnxRuntimeBackend", "onnxruntime"
    ),
    "openvino": Engine(
        "ppcls.inference.backends.openvino", "OpenVinoBackend", "openvino"
    ),
}


def open_engine(bundle: Bundle, settings: Settings) -> Backend:
    """Opens the engine of the settings within this process, for programs and batches as the bundle has them.

    Raises:
        UserError: as of `open_backend`.
    """
    engine = ENGINES[settings.backend]
    backend = getattr(importlib.import_module(engine.module), engine.class_name)
    return backend(bundle, settings)
