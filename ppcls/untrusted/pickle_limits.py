"""Bounds on a pickle: a few bytes of one can ask for terabytes, or for hours."""

from __future__ import annotations

from typing import BinaryIO

from ppcls.untrusted.refusals import Refused

_MAX_STEPS = 1_000_000  # an array takes 40 to 70
_MAX_COPIES = 4  # of a file's size; tensors may share what they are made of


class Meter:
    """Bounds what a file makes by what it holds."""

    def __init__(self, size: int) -> None:
        self.steps, self.bytes = _MAX_STEPS, _MAX_COPIES * size

    def step(self, count: int = 1) -> None:
        """Counts parts of a pickle."""
        self.steps -= count
        if self.steps < 0:
            raise Refused(f"more than {_MAX_STEPS:,} parts")

    def claim(self, count: int) -> None:
        """Counts bytes that are about to be made."""
        self.bytes -= count
        if self.bytes < 0:
            raise Refused(f"more than {_MAX_COPIES} times the memory of its own size")


class Stream:
    """What pickles are read from: no count that a file states can claim more than is left of it."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.left, self.meter = file, size, Meter(size)

    def check(self, count: int) -> None:
        """Refuses a count of bytes that the file does not have any more."""
        if not 0 <= count <= self.left:
            raise EOFError(f"{count} bytes are announced where {self.left} are left")

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes."""
        self.meter.step()
        self.check(count)
        self.left -= count
        return self.file.read(count)

    def readline(self) -> bytes:
        """A line with its end."""
        self.meter.step()
        line = self.file.readline()
        self.left -= len(line)
        return line
