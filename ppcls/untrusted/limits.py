"""Bounds on reading: a few bytes of a file can ask for terabytes or for hours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

from ppcls.untrusted.refusals import Refused, require

MAX_NAME = 500  # characters of a name
MAX_DIMENSIONS = 32  # of an array, in every version of numpy
MAX_ARRAYS = 10_000  # in one file; the largest model here has about 1,500
_MAX_STEPS = 800_000  # an array takes 50 to 70
_MAX_COPIES = 4  # of the file's size; arrays may share what they are made of
_SHORT = 1024  # bytes


def are_counts(numbers: Sequence[Any]) -> bool:
    """Whether these can be the sizes of an array: few whole numbers, not negative, in 64 bits."""
    if len(numbers) > MAX_DIMENSIONS:
        return False
    return all(type(number) is int and 0 <= number < 1 << 63 for number in numbers)


class Meter:
    """Limits the work and the memory that a file asks for.

    Attributes:
        steps: How many more steps may be taken. One step costs about a microsecond.
        bytes: How many more bytes may be made.
    """

    def __init__(self, size: int) -> None:
        self.steps = _MAX_STEPS
        self.bytes = _MAX_COPIES * size

    def step(self, count: int = 1) -> None:
        """Counts steps.

        Raises:
            Refused: there were too many.
        """
        self.steps -= count
        if self.steps < 0:
            raise Refused(f"more than {_MAX_STEPS:,} steps")

    def claim(self, count: int) -> None:
        """Counts bytes before they are made.

        Raises:
            Refused: there were too many for the size of the file.
        """
        self.bytes -= count
        if self.bytes < 0:
            raise Refused(f"more than {_MAX_COPIES} times the memory of its own size")


class Stream:
    """A file that is read from its start to its end, and the meter of what it asks for.

    Args:
        file: The file, buffered.
        size: Its size in bytes.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file = file
        self.size = size
        self.meter = Meter(size)

    @property
    def left(self) -> int:
        """The number of bytes that have not been read."""
        return self.size - self.file.tell()

    def check(self, count: int) -> None:
        """Refuses a count of bytes that is more than the rest of the file.

        Raises:
            Damaged: it is.
        """
        require(
            0 <= count <= self.left,
            f"it announces {count} bytes and has {self.left} left",
        )

    def read(self, count: int) -> bytes:
        """Reads exactly `count` bytes.

        Raises:
            Damaged: fewer are left.
        """
        # A long one is checked before memory is allocated for it
        if count > _SHORT:
            self.check(count)
        content = self.file.read(count)
        require(len(content) >= count, f"it ends where {count} bytes should follow")
        return content

    def read_line(self) -> bytes:
        """Reads a line without its end.

        Raises:
            Damaged: the file ends before the line does.
        """
        line = self.file.readline()
        require(line.endswith(b"\n"), "it ends within a line")
        return line[:-1]
