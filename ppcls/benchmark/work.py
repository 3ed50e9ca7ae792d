"""What is timed: a backend that runs batches, one after another or several at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np

from ppcls.inference.backends import Backend
from ppcls.inference.bundle import Bundle
from ppcls.utils.threads import ThreadPool

# In a call with several requests, so that one of them can be late without the others waiting
_BATCHES_PER_REQUEST = 2


def batch_of(bundle: Bundle, size: int) -> np.ndarray:
    """Noise, float32 [size, C, H, W]: what is in a picture does not change how long it takes."""
    shape = (size, *bundle.input.shape[1:])
    return np.random.default_rng(size).standard_normal(shape, dtype=np.float32)


@contextlib.contextmanager
def work_of(
    backend: Backend, batch: np.ndarray, requests: int = 1
) -> Iterator[Callable[[], object]]:
    """Give a function that runs `batches_per_call(requests)` batches, `requests` at a time."""
    if requests == 1:
        yield lambda: backend.run(batch)
        return
    pool = ThreadPool(requests)
    try:
        yield lambda: _run_at_once(pool, backend, batch, requests)
    finally:
        pool.shutdown()


def _run_at_once(
    pool: ThreadPool, backend: Backend, batch: np.ndarray, requests: int
) -> None:
    """Run the batches of a call.

    Raises:
        RuntimeError: The system gives fewer threads than requests, so that another load would be measured.
    """
    futures = []
    for _ in range(batches_per_call(requests)):
        futures.append(pool.submit(backend.run, batch))
    for future in futures:
        future.result()
    if len(pool.threads) < requests:
        raise RuntimeError("can't start new thread")


def batches_per_call(requests: int) -> int:
    """How many batches one call of `work_of` runs."""
    return 1 if requests == 1 else requests * _BATCHES_PER_REQUEST
