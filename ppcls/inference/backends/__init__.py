"""What runs a bundle's program. A backend is any object with `run`; `open_backend` makes the one of some settings.

A module here holds one engine: its class takes the bundle and the settings, and imports the engine when it is made.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ppcls.utils.forks import PerProcess, loaded_before_fork

if TYPE_CHECKING:
    from ppcls.inference.bundle import Bundle
    from ppcls.inference.settings import Settings

_CLASSES = {  # by the name of the engine, which is that of its package too
    "paddle": ("ppcls.inference.backends.paddle", "PaddleBackend"),
    "onnxruntime": ("ppcls.inference.backends.onnxruntime", "OnnxRuntimeBackend"),
    "openvino": ("ppcls.inference.backends.openvino", "OpenVinoBackend"),
}


class Backend(Protocol):
    """Runs the program of one bundle. Threads may share it."""

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the scores, float32 [N, class_num]."""


def open_backend(bundle: Bundle, settings: Settings) -> Backend:
    """The backend of the settings, with the bundle's program loaded. It may be used after a fork, by both processes.

    Raises:
        UserError: the engine is not installed, cannot do what the settings ask for, or the bundle lacks what it runs.
    """
    from ppcls.inference.backends.adapted import InParts, adapted

    backend: Backend = _OfThisProcess(bundle, settings)
    if settings.tensorrt is not None:
        from ppcls.inference.backends.tensorrt import batches

        low, _, high = batches(bundle, settings.tensorrt)
        backend = InParts(backend, low, high)
    return adapted(backend, bundle)


def open_engine(bundle: Bundle, settings: Settings) -> Backend:
    """The engine of the settings within this process, for programs and batches as the bundle has them.

    Raises:
        UserError: as of `open_backend`.
    """
    module, name = _CLASSES[settings.backend]
    return getattr(importlib.import_module(module), name)(bundle, settings)


class _OfThisProcess:
    """An engine that is opened anew in each forked process.

    No engine that was loaded before a fork works after it, not even for a program that is opened anew: Paddle waits for
    threads that are gone, and CUDA refuses. So a forked process has it in another process, which is not forked.
    """

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        self._bundle, self._settings = bundle, settings
        self.engine = PerProcess(self._open, native=True)

    def run(self, batch: np.ndarray) -> np.ndarray:
        return self.engine.get().run(batch)

    def _open(self) -> Backend:
        if not loaded_before_fork(self._settings.backend):
            return open_engine(self._bundle, self._settings)
        # Rarely needed, takes time to load
        from ppcls.inference.backends.engine_process import EngineProcesses

        return EngineProcesses(self._bundle, self._settings)
