"""The wire format of Protocol Buffers, as far as reading somebody's message without its schema's code needs it."""

from __future__ import annotations

from collections.abc import Iterator

from ppcls.untrusted.refusals import Damaged, require

MAX_FIELDS = 250_000  # of a file; a program of DPN131, the largest model here, has 15,000 that are read
_VARINT, _LENGTH = 0, 2
_FIXED = {1: 8, 5: 4}  # bytes by wire type


class Budget:
    """Bounds how many fields of a file are read: two bytes are one field."""

    def __init__(self, most: int = MAX_FIELDS) -> None:
        self.left = most

    def take(self) -> None:
        """Counts a field.

        Raises:
            Damaged: there were too many before it.
        """
        require(self.left > 0, f"it has more than {MAX_FIELDS:,} fields")
        self.left -= 1


class Message:
    """The fields of a message by number, read once. Values that are bytes are not copied.

    Args:
        content: the bytes of the message.
        budget: that of the file.

    Raises:
        Damaged: the bytes are no message, or the file has too many fields.
    """

    def __init__(self, content: memoryview, budget: Budget) -> None:
        self._budget = budget
        self._values: dict[int, list[int | memoryview]] = {}
        for number, value in fields(content):
            budget.take()
            self._values.setdefault(number, []).append(value)

    def bytes_of(self, number: int) -> list[memoryview]:
        """Return the values of a field that are bytes: text, a message, a packed list."""
        values = self._values.get(number, ())
        return [value for value in values if isinstance(value, memoryview)]

    def messages(self, number: int) -> Iterator[Message]:
        """Read the messages of a field, one after another."""
        for content in self.bytes_of(number):
            yield Message(content, self._budget)

    def numbers(self, number: int) -> list[int]:
        """Return the values of a field that are whole numbers."""
        return [
            value for value in self._values.get(number, ()) if isinstance(value, int)
        ]

    def text(self, number: int) -> str:
        """Return the first text of a field, or an empty one."""
        return bytes(next(iter(self.bytes_of(number)), b"")).decode()


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: a whole number, or bytes (text, a message, a packed list), which are not copied.

    Raises:
        Damaged: the bytes are no message.
    """
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if kind == _LENGTH:
            length, place = _varint(message, place)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise Damaged(f"no field begins at byte {place} of {len(message)}")
        require(
            place + length <= len(message),
            f"a field of {length} bytes begins at byte {place} of {len(message)}",
        )
        yield number, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """The number that begins at a place, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        require(place < len(message), "it ends within a number")
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise Damaged("a number has more than 64 bits")
