"""Work beside the training loop: one job at a time, in order, none lost."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Job = Callable[[], None]


class Background:
    """Runs jobs in one thread, each after the one before; what a job raises, the next call here raises."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._pending = 0

    def start(self) -> None:
        """Start the thread, if it is not running; without one, jobs run where they are submitted.

        Python may wait for ever for a thread that is started when memory is short, so this belongs to the beginning.
        """
        if self._thread is not None:
            return
        thread = threading.Thread(
            target=self._run, name="checkpoint writer", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # the system gives no more threads
            return
        self._thread = thread

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
            error = self._results.get()
            self._pending = 0
        if error is not None:
            raise error

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
