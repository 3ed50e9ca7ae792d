"""Threads and pools of them that nobody waits for in vain when memory is short.

`threading.Thread.start` waits for ever for a thread that dies before it reports, and the futures of
`concurrent.futures.ThreadPoolExecutor` wait for ever for work whose thread died outside of the call.
"""

from __future__ import annotations

import _thread
import atexit
import os
import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import (
    TimeoutError as NotDoneInTime,
)  # another class before Python 3.11
from contextlib import suppress
from typing import Any, NamedTuple

_SECONDS_BETWEEN_LOOKS = 0.1


class _Life:
    """An object that a thread alone refers to."""


class RunningThread:
    """A thread that has begun; it does not keep the process alive.

    Args:
        target: What it calls.

    Raises:
        RuntimeError: The system gives no more threads, or no memory for this one.
    """

    def __init__(self, target: Callable[[], Any]) -> None:
        begun = threading.Event()
        ended = threading.Event()

        def run(life: _Life) -> None:
            begun.set()
            try:
                target()
            finally:
                ended.set()

        life = _Life()
        self._ended = ended
        self._life = weakref.ref(life)
        try:
            _thread.start_new_thread(run, (life,))
        except MemoryError:
            raise RuntimeError("can't start new thread") from None
        del life
        while not begun.wait(_SECONDS_BETWEEN_LOOKS):
            if not self.is_alive() and not begun.is_set():
                raise RuntimeError("can't start new thread: out of memory")

    def is_alive(self) -> bool:
        """Whether it works, or is about to."""
        return self._life() is not None and not self._ended.is_set()

    def join(self) -> None:
        """Wait for its end."""
        while self.is_alive() and not self._ended.wait(_SECONDS_BETWEEN_LOOKS):
            pass


class ThreadPool:
    """Calls functions in threads, as `concurrent.futures.ThreadPoolExecutor` does, with as many as there can be.

    If the system gives fewer threads, these do all the work; if it gives none, `submit` does it. The threads end
    when the pool is collected.

    Args:
        threads: How many at most; they start as work comes.
    """

    def __init__(self, threads: int) -> None:
        self.threads: list[RunningThread] = []
        self._most = threads
        self._queue = _Queue()
        weakref.finalize(self, self._queue.end).atexit = False
        _pools.add(self)

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future:
        """Begin a call when a thread is free."""
        if self._queue.is_over:
            raise RuntimeError("a pool that was shut down takes no more work")
        future = _PoolFuture(self._queue)
        task = _Task(future, call, arguments)
        if len(self.threads) < self._most:
            self._start()
        if self.threads:
            self._queue.tasks.put(task)
        else:
            task.run()
        return future

    def shutdown(self, cancel_futures: bool = False) -> None:
        """Wait for the end of all work, or only of what has begun."""
        if cancel_futures:
            self._queue.cancel()
        self._queue.end()
        for thread in self.threads:
            thread.join()

    def _start(self) -> None:
        try:
            self.threads.append(RunningThread(self._queue.work))
        except RuntimeError:  # no further one is tried: each may take more memory
            self._most = len(self.threads)


class _Task(NamedTuple):
    """A call, and the future of its result."""

    future: Future
    call: Callable[..., Any]
    arguments: tuple[Any, ...]

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.call(*self.arguments)
        except BaseException as error:
            self.future.set_exception(error)
            del (
                self
            )  # the error's traceback refers to this frame: no cycle with the future
        else:
            self.future.set_result(result)


class _Queue:
    """What the threads of a pool refer to, and not to the pool, which ends them when it is collected."""

    def __init__(self) -> None:
        self.tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self.is_over = False
        self.has_lost_task = False

    def work(self) -> None:
        """Do the tasks until the end, which stays in the queue for the other threads."""
        try:
            while (task := self.tasks.get()) is not None:
                task.run()
                del task  # and so its arguments, while the next one is waited for
            self.tasks.put(None)
        except (
            BaseException
        ):  # between the calls, whose own exceptions go to their futures
            self.has_lost_task = True

    def end(self) -> None:
        self.is_over = True
        self.tasks.put(None)

    def cancel(self) -> None:
        with suppress(queue.Empty):
            while (task := self.tasks.get_nowait()) is not None:
                task.future.cancel()


class _PoolFuture(Future):
    def __init__(self, tasks: _Queue) -> None:
        super().__init__()
        self._tasks = tasks

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the call's result.

        Raises:
            BaseException: What the call raised.
            MemoryError: A thread of the pool died outside of a call, perhaps with this one.
        """
        while timeout is None and not self.done():
            with suppress(NotDoneInTime):
                self.exception(_SECONDS_BETWEEN_LOOKS)
            if self._tasks.has_lost_task and not self.done():
                raise MemoryError("a thread died for want of memory")
        return super().result(timeout)


_pools: weakref.WeakSet[ThreadPool] = weakref.WeakSet()
# The threads of the process that a forked one came from are not there
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)


def _end_pools() -> None:
    """End the threads before Python does, in the midst of a library's work."""
    for pool in list(_pools):
        pool.shutdown(cancel_futures=True)


atexit.register(_end_pools)
