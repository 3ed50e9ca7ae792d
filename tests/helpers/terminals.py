"""A terminal of a given width in place of standard output and standard error, in this process."""

import contextlib
import fcntl
import os
import pty
import struct
import termios
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest


@dataclass
class Shown:
    """What the terminal got, once it is closed."""

    text: str = ""


@contextlib.contextmanager
def terminal(columns: int) -> Iterator[Shown]:
    """Directs sys.stdout and sys.stderr to a pseudo terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    shown, pieces = Shown(), []

    def drain() -> None:
        with contextlib.suppress(OSError):  # EIO: the other side is closed
            while piece := os.read(ours, 4096):
                pieces.append(piece)

    reader = threading.Thread(target=drain)
    reader.start()
    try:
        with os.fdopen(theirs, "w", encoding="utf-8") as stream, pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdout", stream)
            patch.setattr("sys.stderr", stream)
            yield shown
    finally:
        reader.join()
        os.close(ours)
        shown.text = b"".join(pieces).decode().replace("\r\n", "\n")
