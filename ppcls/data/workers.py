"""Care for the processes that read pictures."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import connection, queues, util
from pathlib import Path
from typing import Any

import cv2

from ppcls.utils.threads import RunningThread

PREFETCHED = 2  # batches a worker reads ahead
_SHARED_MEMORY = "/dev/shm"
_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_TO_END = 10.0  # for a worker that is asked to, for example while it reads
# Exit codes of a worker that could not send what it had read: for want of memory, or of file descriptors
_LOST_MESSAGE = 77
_NO_DESCRIPTORS = 78
# Fixed in Linux (include/linux/proc_ns.h)
_HOST = {"ipc": "ipc:[4026531839]", "pid": "pid:[4026531836]"}


def missing_shared_memory(
    batch_bytes: int, num_workers: int, processes: int = 1
) -> str | None:
    """Why the batches that are read ahead do not fit into shared memory, and the remedy; None if they fit.

    A worker that writes beyond it is killed by the system without a word.
    """
    if sys.platform != "linux":
        return None
    # Two more are on their way to the model
    needed = batch_bytes * (PREFETCHED * num_workers + 2) * processes
    free = 0
    if os.path.isdir(_SHARED_MEMORY):  # noqa: PTH112
        free = shutil.disk_usage(_SHARED_MEMORY).free
    if needed <= free:
        return None
    return (
        f"{_SHARED_MEMORY} has {free / 2**20:.0f} MiB free, and the batches read ahead need {needed / 2**20:.0f} MiB: "
        "the workers use pipes, which are slower; enlarge it (docker run --shm-size=8g), or lower batch_size or "
        "num_workers"
    )


@contextmanager
def signals_held() -> Iterator[None]:
    """Holds SIGINT and SIGTERM back; a process that is started meanwhile holds them back for ever.

    Signals to the whole process group (Ctrl-C, `timeout`, a service manager) are the main process's business, which
    may want to save first; a worker that died of them would take the run down. It ends with its parent instead.
    """
    if sys.platform != "linux":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_workers(loader: Any) -> Any:
    """Start the workers of a `paddle.io.DataLoader`, and return its iterator.

    Raises:
        OSError, MemoryError, RuntimeError: There are too few file descriptors, processes or threads, or there is too
            little memory for them; then none is left.
    """
    before = signal.getsignal(signal.SIGCHLD)
    lost = _LostMessages()
    try:
        with signals_held(), lost.watched():
            iterator = iter(loader)
    except (OSError, MemoryError, RuntimeError) as error:
        _end_half_started(error)
        raise
    lost.end_workers_of(iterator)
    # Paddle's handler raises wherever the main thread is when a worker ends; `WorkerWatch` tells the reader instead
    signal.signal(signal.SIGCHLD, signal.SIG_DFL if before is None else before)
    return iterator


class _LostMessages:
    """Ends the workers when a queue loses a message, for want of memory: who waits for it would wait for ever.

    `multiprocessing` prints the error of a queue's thread and goes on with the next message.
    """

    def __init__(self) -> None:
        self._parent = os.getpid()
        self._iterator: Any = None
        self._has_lost = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch the queues whose threads start meanwhile, and those of the workers that do."""
        name = "_on_queue_feeder_error"
        before = queues.Queue.__dict__[name]
        setattr(queues.Queue, name, staticmethod(self._lose))
        try:
            yield
        finally:
            setattr(queues.Queue, name, before)

    def end_workers_of(self, iterator: Any) -> None:
        """The workers to end; at once if a message was lost already."""
        self._iterator = iterator
        if self._has_lost:
            self._end()

    def _lose(self, error: Exception, message: object) -> None:
        if os.getpid() != self._parent:
            os._exit(_code_of(error))
        self._has_lost = True
        if self._iterator is not None:
            self._end()

    def _end(self) -> None:
        for worker in self._iterator._workers:
            worker.kill()


def _end_half_started(error: Exception) -> None:
    """End the workers of an iterator that could not start all of them; by itself it would wait for ever."""
    trace = error.__traceback__
    while trace is not None:
        owner: Any = trace.tb_frame.f_locals.get("self")
        if hasattr(owner, "_try_shutdown_all") and hasattr(owner, "_workers"):
            _kill(owner)
        trace = trace.tb_next


def _kill(iterator: Any) -> None:
    iterator._shutdown = True
    for worker in iterator._workers:
        worker.kill()
        worker.join()


class WorkerWatch:
    """Ends the wait for the next batch when a worker was killed.

    Paddle looks for dead workers every few seconds, and never if one dies while it sends a batch: then the receiver
    waits for the rest.

    Args:
        iterator: That of a `paddle.io.DataLoader`.

    Attributes:
        exit_code: That of the worker that ended too early, negative for a signal; None while all work.
    """

    def __init__(self, iterator: Any) -> None:
        self.exit_code: int | None = None
        self._iterator = iterator
        self._is_over = threading.Event()
        self._is_found = threading.Event()
        try:
            RunningThread(self._watch)
        except RuntimeError:
            _kill(iterator)
            raise

    def _watch(self) -> None:
        workers: dict[Any, Any] = {}
        for worker in self._iterator._workers:
            workers[worker.sentinel] = worker
        while workers and not self._is_over.is_set():
            try:
                code = _code_of_ended(workers)
            except MemoryError:
                time.sleep(_SECONDS_BETWEEN_LOOKS)
                continue
            if code and not self._is_over.is_set():
                self.exit_code = code
                self._is_found.set()
                self._iterator._exit_thread_unexpectedly()
                return
            if not _are_fed(self._iterator):
                for worker in workers.values():
                    worker.kill()

    def has_lost_a_worker(self) -> bool:
        """Whether a worker ended too early, also one whose batches are gone before it is."""
        return self._is_found.wait(2 * _SECONDS_BETWEEN_LOOKS)

    def end(self) -> None:
        """End the watch and the workers."""
        self._is_over.set()
        if self.exit_code is not None:
            # One may wait for a lock that the killed one held
            for worker in self._iterator._workers:
                worker.kill()
        # Paddle has no public way to end workers before the last batch: its reading thread keeps the iterator alive
        # for ever
        self._iterator._try_shutdown_all(timeout=_SECONDS_TO_END)
        for worker in self._iterator._workers:
            if (
                worker.is_alive()
            ):  # for want of memory it may never learn that it is to end
                worker.kill()
                worker.join()

    def reason(self) -> str:
        """Why the workers ended, and the remedy."""
        code = self.exit_code or 0
        if code == -signal.SIGKILL:
            return (
                "a reading worker was killed (signal 9), as the system does when memory runs out; lower num_workers or "
                "batch_size, or close other programs"
            )
        if code == _LOST_MESSAGE:
            return "a reading worker ran out of memory; lower num_workers or batch_size, or close other programs"
        if code == _NO_DESCRIPTORS:
            return "a reading worker had no file descriptors left; allow more (ulimit -n), or lower num_workers"
        if code == -signal.SIGBUS:
            return (
                f"a reading worker found no space in shared memory (signal 7); enlarge {_SHARED_MEMORY} (docker run "
                "--shm-size=8g), or write use_shared_memory: False"
            )
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return (
            f"a reading worker ended with {how}; write num_workers: 0 to read without workers, which shows the picture "
            "if one is the cause"
        )


def _code_of(error: BaseException | None) -> int:
    """Return the exit code of a worker that an error kept from sending what it had read."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return _NO_DESCRIPTORS
    return _LOST_MESSAGE


def _are_fed(iterator: Any) -> bool:
    """Whether the threads live that tell the workers what to read."""
    threads = [queue._thread for queue in iterator._indices_queues]
    return all(thread is None or thread.is_alive() for thread in threads)


def _code_of_ended(workers: dict[Any, Any]) -> int:
    """Wait a little for workers to end, and forget those that do.

    Args:
        workers: Those that work, by their sentinels.

    Returns:
        The exit code of one that failed; 0 if none did.
    """
    for sentinel in connection.wait(list(workers), _SECONDS_BETWEEN_LOOKS):
        worker = workers[sentinel]
        worker.join()  # its files are closed before its exit code is known
        if worker.exitcode is None:
            continue  # another thread has just collected the code and has not stored it yet
        del workers[sentinel]
        if worker.exitcode:
            return int(worker.exitcode)
    return 0


def prepare_worker(parent: int, worker_id: int) -> None:
    """Run by a worker of the process `parent`, started under `signals_held`, before it reads."""
    cv2.setNumThreads(0)  # a worker a core: threads within workers would only compete
    # Of the queue's thread, which dies for want of memory: nobody would get what is read
    threading.excepthook = lambda arguments: os._exit(_code_of(arguments.exc_value))
    if sys.platform == "linux":
        RunningThread(partial(_end_with_parent, parent))
        # Paddle's loop may see first that the parent has ended. Its last batch is on its way in another thread then,
        # which the queue waits for, by a priority of -5, before this.
        util.Finalize(None, tidy_orphan, (parent,), exitpriority=-100)


def tidy_orphan(parent: int) -> None:
    """Removes this process's batches from shared memory if `parent` has ended, and so fetches them no more."""
    if os.getppid() != parent:
        _remove_own_segments()


def _end_with_parent(parent: int) -> None:
    """Ends this process when its parent has ended, or asks for it by SIGTERM.

    Also when it cannot look any more, for want of memory: nobody else would end an orphan.
    """
    code = 1
    try:
        while True:
            received = signal.sigtimedwait({signal.SIGTERM}, _SECONDS_BETWEEN_LOOKS)
            is_asked = received is not None and received.si_pid == parent
            if is_asked or os.getppid() != parent:
                code = 0
                _remove_own_segments()
                break
    finally:
        os._exit(code)


def _remove_own_segments() -> None:
    """Removes what this process put into shared memory and nobody fetched; Paddle names it by the process's number.

    Containers that share the host's memory but not its process numbers must not: the number may be another one's too.
    """
    spaces = {name: os.readlink(f"/proc/self/ns/{name}") for name in ("ipc", "pid")}  # noqa: PTH115
    if spaces["ipc"] == _HOST["ipc"] and spaces["pid"] != _HOST["pid"]:
        return
    for segment in Path(_SHARED_MEMORY).glob(f"paddle_{os.getpid()}_*"):
        with suppress(FileNotFoundError):  # fetched meanwhile
            if segment.stat().st_uid == os.getuid():
                segment.unlink()
