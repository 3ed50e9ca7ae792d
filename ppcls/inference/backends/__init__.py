"""What runs a bundle's program. A backend is any object with `run`; `open_backend` makes the one of some settings.

A module here holds one engine: its class takes the bundle and the settings, and imports the engine when it is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from ppcls.inference.backends.engines import ENGINES, open_engine
from ppcls.utils.forks import PerProcess, loaded_before_fork

if TYPE_CHECKING:
    from ppcls.inference.bundle import Bundle
    from ppcls.inference.settings import Settings


class Backend(Protocol):
    """Runs the program of one bundle. Threads may share it."""

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the scores, float32 [N, class_num]."""


def open_backend(bundle: Bundle, settings: Settings) -> Backend:
    """The backend of the settings, with the bundle's program loaded. It may be used after a fork, by both processes.

    Raises:
        UserError: the engine is not installed, cannot do what the settings ask for, or the bundle lacks what it runs.
    """
    # Needs the bundle's parts, which take time to load
    from ppcls.inference.backends.adapted import adapted

    return adapted(_OfThisProcess(bundle, settings), bundle)


class _OfThisProcess:
    """An engine that is opened again in each forked process.

    No engine that was loaded before a fork works after it, not even for a program that is opened again: Paddle waits
    for threads that are gone, and CUDA refuses. So a forked process has it in another process, which is not forked.
    """

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        self._bundle, self._settings = bundle, settings
        self.engine = PerProcess(self._open, native=True)

    def run(self, batch: np.ndarray) -> np.ndarray:
        return self.engine.get().run(batch)

    def _open(self) -> Backend:
        if not loaded_before_fork(ENGINES[self._settings.backend].package):
            return open_engine(self._bundle, self._settings)
        # Needs the bundle's parts, which take time to load
        from ppcls.inference.backends.common import PooledBackend, engine_processes

        return PooledBackend(engine_processes(self._bundle, self._settings))
