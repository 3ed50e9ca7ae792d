"""What runs a bundle's program. A backend is any object with `run`; `open_backend` makes the one of some settings.

A module here holds one engine: its class takes the bundle and the settings, and imports the engine when it is made.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from ppcls.inference.bundle import Bundle
    from ppcls.inference.settings import Settings

_CLASSES = {
    "paddle": ("ppcls.inference.backends.paddle", "PaddleBackend"),
    "onnxruntime": ("ppcls.inference.backends.onnxruntime", "OnnxRuntimeBackend"),
    "openvino": ("ppcls.inference.backends.openvino", "OpenVinoBackend"),
}


class Backend(Protocol):
    """Runs the program of one bundle. Threads may share it."""

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the scores, float32 [N, class_num]."""


def open_backend(bundle: Bundle, settings: Settings) -> Backend:
    """The backend of the settings, with the bundle's program loaded.

    Raises:
        UserError: the engine is not installed, cannot do what the settings ask for, or the bundle lacks what it runs.
    """
    from ppcls.inference.backends.adapted import InParts, adapted

    module, name = _CLASSES[settings.backend]
    backend = getattr(importlib.import_module(module), name)(bundle, settings)
    if settings.tensorrt is not None:
        from ppcls.inference.backends.tensorrt import batches

        low, _, high = batches(bundle, settings.tensorrt)
        backend = InParts(backend, low, high)
    return adapted(backend, bundle)
