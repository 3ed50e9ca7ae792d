"""Work beside the training loop: one job at a time, in order, none lost."""

from __future__ import annotations

import queue
from collections.abc import Callable
from contextlib import suppress

from ppcls.utils.threads import RunningThread

Job = Callable[[], None]
_SECONDS_BETWEEN_LOOKS = 0.1


class Background:
    """Runs jobs in one thread, each after the one before; what a job raises, the next call here raises."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._thread: RunningThread | None = None
        self._pending = 0

    def start(self) -> None:
        """Start the thread, if it is not running; without one, jobs run where they are submitted."""
        if self._thread is None:
            with suppress(RuntimeError):  # the system gives no more threads
                self._thread = RunningThread(self._run)

    def submit(self, job: Job) -> None:
        """Start a job once the one before has ended."""
        self.wait()
        self.start()
        self._pending = 1
        if self._thread is None:
            self._results.put(_error_of(job))
        else:
            self._jobs.put(job)

    def wait(self) -> None:
        """Return when nothing runs.

        Raises:
            BaseException: what the job has raised.
        """
        error = None
        if self._pending:
            self._pending = 0
            error = self._next_result()
        if error is not None:
            raise error

    def _next_result(self) -> BaseException | None:
        """What the job in progress raises, or that its thread died outside of the job for want of memory."""
        while True:
            is_alive = self._thread is not None and self._thread.is_alive()
            with suppress(queue.Empty):
                return self._results.get(is_alive, _SECONDS_BETWEEN_LOOKS)
            if not is_alive:
                self._thread = None
                return MemoryError("the thread of the checkpoints died")

    def close(self) -> None:
        """End the thread; the job in progress comes to its end."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._results.put(_error_of(job))


def _error_of(job: Job) -> BaseException | None:
    """What a job raises; handed to the thread that asked."""
    try:
        job()
    except BaseException as error:
        return error
    return None
