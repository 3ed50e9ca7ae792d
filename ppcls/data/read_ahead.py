"""Inputs read in parallel, ahead of the batch that runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from ppcls.utils.cpu import usable_cores
from ppcls.utils.errors import UserError

T = TypeVar("T")


def parallel(
    work: Callable[[Any], T],
    items: Iterable[Any],
    threads: int | None = None,
    ahead: int = 64,
) -> Iterator[T]:
    """`map(work, items)` by several threads, in order, at most `ahead` results waiting; an error ends it at once."""
    _positive("threads", threads)
    source = iter(items)
    waiting: deque[Future[T]] = deque()
    executor = ThreadPoolExecutor(
        threads or usable_cores(), thread_name_prefix="ppcls-read"
    )
    try:
        waiting.extend(executor.submit(work, item) for item in islice(source, ahead))
        while waiting:
            done = waiting.popleft().result()
            waiting.extend(executor.submit(work, item) for item in islice(source, 1))
            yield done
    finally:
        executor.shutdown(cancel_futures=True)


def read_batches(
    read: Callable[[Any], np.ndarray],
    items: Iterable[Any],
    batch_size: int = 8,
    threads: int | None = None,
) -> Iterator[np.ndarray]:
    """Batches [N, C, H, W] of what `read` gives ([C, H, W]) for each of `items`; the last one may be smaller.

    Raises:
        UserError: `read` raised it, or the sizes differ within a batch.
    """
    _positive("batch_size", batch_size)
    # The next batch is read while one runs, and every thread has work even where batches are small.
    ahead = batch_size + max(batch_size, threads or usable_cores())
    tensors = parallel(read, items, threads, ahead)
    while True:
        batch: list[np.ndarray] = list(islice(tensors, batch_size))
        if not batch:
            return
        if len({tensor.shape for tensor in batch}) > 1:
            raise UserError(
                "inputs have different sizes; put CropImage into the transforms, or take batches of 1"
            )
        yield np.stack(batch)


def _positive(name: str, value: int | None) -> None:
    if value is not None and value < 1:
        raise UserError(f"{name} is {value}; write 1 or more")
