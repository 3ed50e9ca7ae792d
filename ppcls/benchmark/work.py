"""What is timed: a backend that runs batches, one after another or several at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ppcls.inference.backends import Backend
from ppcls.inference.bundle import Bundle

# In a call with several requests, so that one of them can be late without the others waiting
BATCHES_A_REQUEST = 2


def batch_of(bundle: Bundle, size: int) -> np.ndarray:
    """Float32 [size, C, H, W] of noise: what is in a picture does not change how long it takes."""
    return np.random.default_rng(size).standard_normal(
        (size, *bundle.input.shape[1:]), dtype=np.float32
    )


@contextlib.contextmanager
def work_of(
    backend: Backend, batch: np.ndarray, requests: int = 1
) -> Iterator[Callable[[], object]]:
    """A call that runs `batches_a_call(requests)` batches, `requests` at a time."""
    if requests == 1:
        yield lambda: backend.run(batch)
        return
    with ThreadPoolExecutor(requests, thread_name_prefix="ppcls-measure") as pool:
        batches: Sequence[np.ndarray] = [batch] * batches_a_call(requests)
        yield lambda: list(pool.map(backend.run, batches))


def batches_a_call(requests: int) -> int:
    """How many batches one call of `work_of` runs."""
    return 1 if requests == 1 else requests * BATCHES_A_REQUEST
