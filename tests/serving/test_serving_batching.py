"""The queue, the memory of tensors and the batcher, by functions whose ends the tests decide."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from ppcls.serving.batching import Batcher, Queue, Tensors
from ppcls.serving.options import Batching
from ppcls.serving.refusals import Busy


class Runs:
    """A function for batches that can be held up, and the batches that it got."""

    def __init__(self, answer: Callable[[list[Any]], list[Any]] = lambda items: [10 * item for item in items]) -> None:
        self.batches: list[list[Any]] = []
        self.open = threading.Event()
        self.open.set()
        self._answer = answer

    def __call__(self, items: list[Any]) -> list[Any]:
        self.batches.append(items)
        self.open.wait()
        return self._answer(items)


def batcher(runs: Runs, size: int = 4, seconds: float = 0, in_flight: int = 1) -> Batcher:
    return Batcher(runs, Batching(size, seconds), in_flight)


async def submit_all(batches: Batcher, items: range) -> list[Any]:
    return await asyncio.gather(*[batches.submit(item, lambda: None) for item in items], return_exceptions=True)


async def turns(condition: Callable[[], bool]) -> None:
    """Gives way to other tasks and threads until a condition holds."""
    while not condition():
        await asyncio.sleep(0)


def test_what_waits_behind_a_batch_becomes_the_next_one() -> None:
    runs = Runs()
    runs.open.clear()

    async def run() -> list[Any]:
        batches = batcher(runs)
        asking = asyncio.ensure_future(submit_all(batches, range(7)))
        await turns(lambda: len(runs.batches) == 1)
        runs.open.set()
        return await asking

    assert asyncio.run(run()) == [0, 10, 20, 30, 40, 50, 60]
    assert runs.batches == [[0], [1, 2, 3, 4], [5, 6]]


def test_a_full_batch_does_not_wait() -> None:
    runs = Runs()

    async def run() -> list[Any]:
        return await asyncio.wait_for(submit_all(batcher(runs, size=3, seconds=3600), range(3)), 60)

    assert asyncio.run(run()) == [0, 10, 20]
    assert runs.batches == [[0, 1, 2]]


def test_a_lone_item_waits_as_long_as_the_delay() -> None:
    runs = Runs()

    async def run() -> None:
        batches = batcher(runs, seconds=0.05)
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await batches.submit(1, lambda: None) == 10
        assert loop.time() - began >= 0.045

    asyncio.run(run())
    assert runs.batches == [[1]]


def test_as_many_batches_run_as_are_allowed() -> None:
    runs = Runs()
    runs.open.clear()

    async def run() -> None:
        asking = asyncio.ensure_future(submit_all(batcher(runs, size=1, in_flight=2), range(4)))
        await turns(lambda: len(runs.batches) == 2)
        await asyncio.sleep(0)
        assert len(runs.batches) == 2
        runs.open.set()
        await asking

    asyncio.run(run())
    assert sorted(runs.batches) == [[0], [1], [2], [3]]


def test_an_item_whose_caller_has_gone_is_left_out() -> None:
    runs = Runs()
    runs.open.clear()

    async def run() -> list[Any]:
        batches = batcher(runs)
        asking = asyncio.ensure_future(submit_all(batches, range(1)))
        await turns(lambda: len(runs.batches) == 1)
        gone = asyncio.ensure_future(batches.submit("gone", lambda: None))
        more = asyncio.ensure_future(submit_all(batches, range(1, 3)))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        runs.open.set()
        return [*await asking, *await more]

    assert asyncio.run(run()) == [0, 10, 20]
    assert runs.batches == [[0], [1, 2]]


def test_an_exception_in_the_place_of_an_answer_is_that_items_alone() -> None:
    runs = Runs(lambda items: [ValueError("odd") if item % 2 else item for item in items])

    async def run() -> list[Any]:
        return await submit_all(batcher(runs, size=4, seconds=3600), range(4))

    first, second, third, fourth = asyncio.run(run())
    assert (first, third) == (0, 2)
    assert str(second) == str(fourth) == "odd"


def test_an_exception_of_the_function_is_everybodys_and_the_next_batch_runs() -> None:
    failures = [RuntimeError("broken")]

    def answer(items: list[Any]) -> list[Any]:
        if failures:
            raise failures.pop()
        return items

    async def run() -> tuple[list[Any], list[Any]]:
        batches = batcher(Runs(answer), size=2, seconds=3600)
        return await submit_all(batches, range(2)), await submit_all(batches, range(2))

    failed, answered = asyncio.run(run())
    assert list(map(str, failed)) == ["broken", "broken"]
    assert answered == [0, 1]


def test_items_say_when_their_batch_begins() -> None:
    begun: list[int] = []

    async def run() -> None:
        batches = batcher(Runs(), size=2, seconds=3600)
        await asyncio.gather(*[batches.submit(item, lambda item=item: begun.append(item)) for item in range(2)])

    asyncio.run(run())
    assert begun == [0, 1]


def test_the_queue_counts_and_refuses() -> None:
    queue = Queue(3)
    with queue.places(2) as leave:
        assert queue.length == 2
        with pytest.raises(Busy, match="2 pictures are waiting for this model, and its queue holds 3"), queue.places(2):
            pass
        assert queue.length == 2
        leave[0]()
        leave[0]()
        assert queue.length == 1
        with queue.places(2):
            assert queue.length == 3
    assert queue.length == 0
    leave[1]()
    assert queue.length == 0


def test_the_memory_of_a_tensor_is_the_next_ones() -> None:
    async def run() -> None:
        tensors = Tensors(2, (3, 4, 5))
        taken = []

        async def take() -> None:
            async with tensors.place() as memory:
                taken.append(memory)

        async with tensors.place() as first, tensors.place() as second:
            assert first is not second
            assert (first.shape, first.dtype) == ((3, 4, 5), "float32")
            third = asyncio.ensure_future(take())
            await asyncio.sleep(0)
            assert taken == []
        await third
        assert taken[0] is first

    asyncio.run(run())


def test_memory_that_a_thread_may_still_write_is_not_used_again() -> None:
    async def run() -> None:
        tensors = Tensors(1, (3, 4, 5))
        with pytest.raises(asyncio.CancelledError):
            async with tensors.place() as first:
                raise asyncio.CancelledError
        async with tensors.place() as second:
            assert second is not first

    asyncio.run(run())


def test_tensors_of_any_shape_have_memory_of_their_own() -> None:
    async def run() -> None:
        async with Tensors(1, None).place() as memory:
            assert memory is None

    asyncio.run(run())
