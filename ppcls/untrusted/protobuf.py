"""The wire format of Protocol Buffers, as far as reading somebody's message without its schema's code needs it."""

from __future__ import annotations

from collections.abc import Iterator

from ppcls.untrusted.refusals import Damaged

_VARINT, _LENGTH = 0, 2
_FIXED = {1: 8, 5: 4}  # bytes by wire type


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
        if place + length > len(message):
            raise Damaged(
                f"a field of {length} bytes begins at byte {place} of {len(message)}"
            )
        yield number, message[place : place + length]
        place += length


def messages(message: memoryview, number: int) -> list[memoryview]:
    """The fields of a number that hold bytes."""
    return [
        value
        for found, value in fields(message)
        if found == number and isinstance(value, memoryview)
    ]


def numbers(message: memoryview, number: int) -> list[int]:
    """The fields of a number that hold a whole number."""
    return [
        value
        for found, value in fields(message)
        if found == number and isinstance(value, int)
    ]


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """The number that begins at a place, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise Damaged("it ends within a number")
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise Damaged("a number has more than 64 bits")
