"""A bound on the memory that pictures take which several threads decode at once."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import threading
from collections.abc import Iterator

from ppcls.data.transforms.header import SMALL

# Bytes of a picture that is not read as quickly as it is read sparingly
_LARGE = 32 * 2**20
_MMAP_THRESHOLD = -3  # of mallopt, from glibc's malloc.h
_BLOCK = 8 * 2**20  # Pillow holds a picture in blocks of 16 MiB


@functools.cache
def _free_at_once() -> None:
    """Make glibc give large blocks back when they are freed; by itself it keeps those of the sizes freed before."""
    # Other C libraries lack it
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_MMAP_THRESHOLD, _BLOCK)


class MemoryBudget:
    """A budget of memory, of which each thread takes what its picture needs; it waits until that much is free.

    Args:
        capacity: Bytes. A picture that needs more takes all of the budget.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.reset()

    def reset(self) -> None:
        """Free the whole budget. For a forked process, in which the threads that took a part of it do not run."""
        self._changed = threading.Condition()
        self._free = self.capacity

    @contextlib.contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Take `size` bytes, or the whole budget if that is less, while entered."""
        size = min(size, self.capacity)
        if size >= _LARGE:
            _free_at_once()
        with self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()


PICTURE_MEMORY = MemoryBudget(SMALL)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PICTURE_MEMORY.reset)
