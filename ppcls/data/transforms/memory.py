"""A bound on the memory that pictures take which several threads decode at once."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from ppcls.data.transforms.header import SMALL


class Room:
    """So many bytes of memory, of which each thread takes what its picture needs; it waits until they are free.

    Args:
        capacity: Bytes. A picture that needs more has the room to itself.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.reset()

    def reset(self) -> None:
        """Empties the room, without regard to threads that are in it: in a forked process there are none."""
        self._changed = threading.Condition()
        self._free = self.capacity

    @contextlib.contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Takes `size` bytes, or all there are, while entered."""
        size = min(size, self.capacity)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()


ROOM = Room(SMALL)
os.register_at_fork(after_in_child=ROOM.reset)
