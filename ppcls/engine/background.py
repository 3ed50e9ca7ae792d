"""Work beside the training loop: one job at a time, in order, none lost."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Background:
    """Runs jobs in a thread, each after the one before; what a job raises, the next call here raises."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def submit(self, job: Callable[[], None]) -> None:
        """Start a job once the one before has ended."""
        self.wait()
        thread = threading.Thread(
            target=self._run, args=(job,), name="checkpoint writer"
        )
        try:
            thread.start()
        except RuntimeError:  # the system gives no more threads
            self._run(job)
        else:
            self._thread = thread

    def wait(self) -> None:
        """Return when nothing runs.

        Raises:
            BaseException: what the job has raised.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # handed to the thread that asked
            self._error = error
