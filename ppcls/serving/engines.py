"""What runs a model's program in the server: Paddle in processes that are watched, other engines in this one.

Paddle's `run` keeps Python's lock, and the server could not answer meanwhile. So Paddle runs in processes of its own
even where one batch runs at a time.
"""

from __future__ import annotations

import contextlib
import operator
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import numpy as np

from ppcls.inference.backends import Backend, open_backend
from ppcls.inference.backends.adapted import adapted
from ppcls.inference.backends.engine_process import EngineProcess
from ppcls.inference.backends.onnxruntime import OnnxRuntimeBackend
from ppcls.inference.bundle import Bundle
from ppcls.inference.settings import Settings
from ppcls.serving.options import Batching
from ppcls.serving.refusals import NotReady
from ppcls.utils.errors import UserError
from ppcls.utils.threads import RunningThread

_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_BETWEEN_TRIES = 2
_SECONDS_TO_WAIT = 60  # for a process that is free, or replaced


class ServedEngine:
    """A backend, and whether it can run.

    Args:
        backend: Gives the scores.
        processes: What runs it, where these are processes of their own.
    """

    def __init__(self, backend: Backend, processes: WatchedProcesses | None) -> None:
        self.run = backend.run
        self._processes = processes

    @property
    def is_healthy(self) -> bool:
        """Whether all of its processes run and have loaded the program."""
        return self._processes is None or self._processes.are_healthy

    def close(self) -> None:
        """End its processes."""
        if self._processes is not None:
            self._processes.close()


def open_engine(
    bundle: Bundle,
    settings: Settings,
    batching: Batching,
    replaced: Callable[[], None],
    say: Callable[[str], None],
) -> ServedEngine:
    """Open a bundle's program.

    Args:
        bundle: The bundle.
        settings: How it is run.
        batching: How batches are made; without delay the answer comes first, and then what it costs.
        replaced: Called for each process that has died and was started again.
        say: Gets lines for the log.

    Raises:
        UserError: As of `open_backend`.
    """
    if settings.backend == "onnxruntime":
        # Threads that spin take the cores from those that decode further pictures
        spinning: Literal["runs", "never"] = (
            "runs" if batching.seconds == 0 else "never"
        )
        session = OnnxRuntimeBackend(bundle, settings, spinning)
        return ServedEngine(adapted(session, bundle), None)
    if settings.backend != "paddle":
        return ServedEngine(open_backend(bundle, settings), None)
    started = EngineProcess.start_all(bundle, settings)
    processes = WatchedProcesses(started, replaced, say)
    return ServedEngine(adapted(processes, bundle), processes)


class WatchedProcesses:
    """Engines in processes, each for one thread at a time. A process that dies is replaced at once.

    Args:
        processes: The processes, which have loaded the program.
        replaced: Called for each that has died and was started again.
        say: Gets lines for the log.
    """

    def __init__(
        self,
        processes: list[EngineProcess],
        replaced: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self._processes = processes
        self._free = list(processes)
        self._changed = threading.Condition()
        self._starting = False
        self._closed = threading.Event()
        self._replaced = replaced
        self._say = say
        RunningThread(self._watch)

    @property
    def are_healthy(self) -> bool:
        """Whether all run and have loaded the program."""
        alive = all(process.is_alive for process in self._processes)
        return alive and not self._starting and not self._closed.is_set()

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to what the program gives, float32 [N, class_num].

        Raises:
            NotReady: The process has died meanwhile; others may work.
        """
        with self._taken(lambda each: each.is_alive) as process:
            try:
                return process.run(np.ascontiguousarray(batch))
            except (UserError, OSError) as error:
                if process.is_alive:
                    raise
                raise NotReady(
                    "the process that computed the answer has died; it is being replaced, try again"
                ) from error

    def close(self) -> None:
        """End all processes. A batch that still runs fails; those who asked for it have gone."""
        self._closed.set()
        for process in self._processes:
            process.kill()
            with self._taken(partial(operator.is_, process)):
                process.close()

    @contextlib.contextmanager
    def _taken(self, suits: Callable[[EngineProcess], bool]) -> Iterator[EngineProcess]:
        """Wait for a free process that suits, and give it back afterwards."""
        with self._changed:
            if not self._changed.wait_for(
                lambda: any(map(suits, self._free)), _SECONDS_TO_WAIT
            ):
                raise NotReady("no process of Paddle is ready; try again later")
            process = next(filter(suits, self._free))
            self._free.remove(process)
        try:
            yield process
        finally:
            with self._changed:
                # The most recently used one is taken first, because its memory is still in cache
                self._free.insert(0, process)
                self._changed.notify_all()

    def _watch(self) -> None:
        while not self._closed.wait(_SECONDS_BETWEEN_LOOKS):
            for process in self._processes:
                if not process.is_alive:
                    self._replace(process)

    def _replace(self, process: EngineProcess) -> None:
        self._starting = True
        try:
            with self._taken(partial(operator.is_, process)):
                if process.is_alive or self._closed.is_set():
                    return
                process.restart()
            self._replaced()
        except (UserError, OSError) as error:
            self._say(f"a process of Paddle cannot be replaced yet: {error}")
            self._closed.wait(_SECONDS_BETWEEN_TRIES)
        finally:
            self._starting = False
