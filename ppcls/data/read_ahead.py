"""Pictures and arrays read into batches by several threads, ahead of the batch that runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ppcls.data.transforms import UnreadableImage
from ppcls.data.transforms.base import NotEnoughMemory
from ppcls.utils.cpu import usable_cores
from ppcls.utils.errors import UserError
from ppcls.utils.threads import ThreadPool

T = TypeVar("T")


@dataclass(frozen=True)
class Unreadable:
    """Takes the place of the input of an item that cannot be read."""

    reason: str


class InputBatch(NamedTuple):
    """Inputs that go through a model together.

    Attributes:
        indices: The positions of the inputs among all items.
        inputs: Float32 [N, C, H, W]; empty if no item of the batch can be read.
        unreadable: Why the other items of the batch cannot be read, by position.
    """

    indices: list[int]
    inputs: np.ndarray
    unreadable: dict[int, str]


def read_or_reason(
    read: Callable[..., np.ndarray], *arguments: Any
) -> np.ndarray | Unreadable:
    """Read an item; one that cannot be read gives the reason."""
    try:
        return read(*arguments)
    except UnreadableImage as error:
        return Unreadable(error.reason)
    except MemoryError:
        return Unreadable(NotEnoughMemory.reason)
    except UserError as error:
        return Unreadable(str(error))


def batch_of_readings(
    names: Sequence[object],
    readings: Sequence[np.ndarray | Unreadable],
    start: int = 0,
    room: np.ndarray | None = None,
) -> InputBatch:
    """Stack what was read.

    Args:
        names: The items' names, for messages.
        readings: The items' inputs, [C, H, W].
        start: The position of the first item.
        room: An array [N, C, H, W] in which the inputs may lie already; then they are not copied.

    Raises:
        UserError: The inputs have different sizes.
    """
    indices: list[int] = []
    tensors: list[np.ndarray] = []
    unreadable: dict[int, str] = {}
    for index, (name, reading) in enumerate(zip(names, readings)):
        if isinstance(reading, Unreadable):
            unreadable[start + index] = reading.reason
            continue
        if tensors and reading.shape != tensors[0].shape:
            first = names[indices[0] - start]
            raise UserError(
                f"{first} and {name} have different sizes after the transforms, {list(tensors[0].shape)} and "
                f"{list(reading.shape)}; put CropImage or ResizeImage with size into them, or take a batch size of 1"
            )
        indices.append(start + index)
        tensors.append(reading)
    if room is not None and _fills(tensors, room):
        return InputBatch(indices, room, unreadable)
    inputs = np.stack(tensors) if tensors else np.empty(0, np.float32)
    return InputBatch(indices, inputs, unreadable)


def parallel(
    work: Callable[[Any], T],
    items: Iterable[Any],
    threads: int | None = None,
    ahead: int = 64,
) -> Iterator[T]:
    """Give `map(work, items)` in order, worked on by several threads.

    Args:
        work: Called with each item; an error ends everything at once.
        items: The items.
        threads: How many; None takes every core.
        ahead: How many results may wait.
    """
    _check_positive("threads", threads)
    source = iter(items)
    waiting: deque[Future[T]] = deque()
    pool = ThreadPool(threads or usable_cores())
    try:
        waiting.extend(pool.submit(work, item) for item in islice(source, ahead))
        while waiting:
            done = waiting.popleft().result()
            waiting.extend(pool.submit(work, item) for item in islice(source, 1))
            yield done
    finally:
        pool.shutdown(cancel_futures=True)


def read_batches(
    read: Callable[[Any], np.ndarray | Unreadable],
    items: Iterable[Any],
    batch_size: int = 8,
    threads: int | None = None,
) -> Iterator[InputBatch]:
    """Read items into batches, the next one while one runs; the last may be smaller.

    Args:
        read: Gives an item's input [C, H, W], or the reason why there is none.
        items: The items, of which messages show the text.
        batch_size: Items per batch.
        threads: Threads that read; None takes every core.

    Raises:
        UserError: `read` raised it, or the sizes differ within a batch.
    """
    _check_positive("batch_size", batch_size)
    # Every thread has work even if batches are small.
    ahead = batch_size + max(batch_size, threads or usable_cores())

    def named(item: Any) -> tuple[Any, np.ndarray | Unreadable]:
        return item, read(item)

    results = parallel(named, items, threads, ahead)
    start = 0
    while pairs := list(islice(results, batch_size)):
        names, readings = zip(*pairs)
        yield batch_of_readings(names, readings, start)
        start += len(pairs)


def _fills(tensors: Sequence[np.ndarray], room: np.ndarray) -> bool:
    """Whether every place in the room has its input."""
    return len(room) == len(tensors) and all(one.base is room for one in tensors)


def _check_positive(name: str, value: int | None) -> None:
    if value is not None and value < 1:
        raise UserError(f"{name} is {value}; write 1 or more")
