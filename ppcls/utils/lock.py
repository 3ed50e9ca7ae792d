"""A lock between processes, which the system lifts when its holder ends, however it ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ppcls.utils.logging import get_logger

POLL_SECONDS = 0.5
wait = time.sleep  # tests put something faster here


@contextmanager
def locked(path: Path, doing: str) -> Iterator[None]:
    """Holds the lock of a file, which is made if need be and stays.

    Args:
        path: The file; its folder exists.
        doing: What the holder does, for the line that is logged where somebody else holds it: `another process
            {doing}; waiting for it`.

    Raises:
        OSError: the file cannot be made or locked.
    """
    with path.open("ab") as file:
        if not _lock(file.fileno()):
            get_logger().info("another process %s; waiting for it", doing)
            while not _lock(file.fileno()):
                wait(POLL_SECONDS)
        yield


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
