"""A bounded queue, the memory of what is decoded of it, and batches made of that."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ppcls.serving.options import Batching
from ppcls.serving.refusals import Busy


class Queue:
    """Counts the pictures that are accepted and not yet in a batch.

    Args:
        limit: The most of them.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.length = 0

    @contextlib.contextmanager
    def places(self, count: int) -> Iterator[list[Callable[[], None]]]:
        """Take places for the pictures of a request, and give a function for each that frees it.

        Those that were not freed are free at the end.

        Raises:
            Busy: There are not as many.
        """
        if self.length + count > self.limit:
            raise Busy(
                f"{self.length} pictures are waiting for this model, and its queue holds {self.limit}; try again later"
            )
        self.length += count
        taken = set(range(count))

        def free(number: int) -> None:
            if number in taken:
                taken.remove(number)
                self.length -= 1

        try:
            yield [partial(free, number) for number in range(count)]
        finally:
            self.length -= len(taken)
            taken.clear()


class Tensors:
    """The memory of the input tensors that wait or run, which is used again and again.

    Args:
        count: The most of them; further pictures wait undecoded.
        shape: Theirs; None if each picture has its own, and its own memory.
    """

    def __init__(self, count: int, shape: tuple[int, int, int] | None) -> None:
        self._places = asyncio.Semaphore(count)
        self._shape = shape
        self._free: list[np.ndarray] = []

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[np.ndarray | None]:
        """Wait for a place, and give its memory, float32 [C, H, W]."""
        async with self._places:
            if self._shape is None:
                yield None
                return
            memory = (
                self._free.pop() if self._free else np.empty(self._shape, np.float32)
            )
            yield memory
            # Not after an error: a thread may still write what a caller that has gone asked for
            self._free.append(memory)


class _Waiting(NamedTuple):
    """An item that waits for its batch, since when, and what happens when that begins."""

    item: Any
    answer: asyncio.Future
    since: float
    begun: Callable[[], None]


class Batcher:
    """Gives items to a function in batches, in threads.

    A batch begins when it is full or its oldest item has waited long enough, and a thread is free. An item whose caller
    has gone is left out.

    Args:
        run: Takes a list of items and gives one answer, or one exception, for each.
        batching: The size of batches and the longest wait.
        in_flight: Batches at the same time.
    """

    def __init__(
        self,
        run: Callable[[list[Any]], Sequence[Any]],
        batching: Batching,
        in_flight: int,
    ) -> None:
        self._run = run
        self._batching = batching
        self._in_flight = in_flight
        self._waiting: deque[_Waiting] = deque()
        self._running = 0
        self._timer: asyncio.TimerHandle | None = None
        self._threads = ThreadPoolExecutor(in_flight, "batch")

    async def submit(self, item: Any, begun: Callable[[], None]) -> Any:
        """Return the answer for an item; `begun` is called when its batch begins.

        Raises:
            Exception: The one that `run` raised, or gave in place of the answer.
        """
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, answer, time.perf_counter(), begun))
        self._begin_due()
        return await answer

    def close(self) -> None:
        """End the threads once they have done their work."""
        self._threads.shutdown(wait=False)

    def _begin_due(self) -> None:
        while self._running < self._in_flight and self._is_due():
            self._begin()

    def _is_due(self) -> bool:
        """Whether a batch can begin; if it has to wait for more items, a timer is set."""
        while self._waiting and self._waiting[0].answer.done():
            self._waiting.popleft()  # its caller has gone
        if not self._waiting:
            return False
        if len(self._waiting) >= self._batching.size:
            return True
        oldest = time.perf_counter() - self._waiting[0].since
        if oldest >= self._batching.seconds:
            return True
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(
                self._batching.seconds - oldest, self._on_timer
            )
        return False

    def _on_timer(self) -> None:
        self._timer = None
        self._begin_due()

    def _begin(self) -> None:
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < self._batching.size:
            entry = self._waiting.popleft()
            if entry.answer.done():
                continue
            entry.begun()
            batch.append(entry)
        self._running += 1
        loop = asyncio.get_running_loop()
        items = [entry.item for entry in batch]
        running = loop.run_in_executor(self._threads, self._run, items)
        running.add_done_callback(lambda done: self._finish(batch, done))

    def _finish(self, batch: list[_Waiting], done: asyncio.Future) -> None:
        self._running -= 1
        error = done.exception()
        answers = [error] * len(batch) if error else done.result()
        for entry, answer in zip(batch, answers):
            if entry.answer.done():
                continue
            if isinstance(answer, BaseException):
                entry.answer.set_exception(answer)
            else:
                entry.answer.set_result(answer)
        self._begin_due()
