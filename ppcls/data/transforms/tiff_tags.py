"""Tags of a TIFF directory, which Exif blocks are too (TIFF 6.0, section 2; BigTIFF has wider fields)."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_ORDERS = {b"II": "<", b"MM": ">"}
# The first four bytes; the third and the fourth are written by mistake.
CLASSIC = (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0")
BIG = (b"II+\0", b"MM\0+")
_TEXTS = {1: 1, 2: 1, 7: 1}  # bytes of one value, by type
_NUMBERS = {
    3: "H",
    4: "I",
    5: "II",
    6: "b",
    8: "h",
    9: "i",
    10: "ii",
    11: "f",
    12: "d",
    13: "I",
    16: "Q",
}
_NUMBER_BYTES = {
    kind: struct.calcsize("<" + layout) for kind, layout in _NUMBERS.items()
}
_VALUE_BYTES = {**_TEXTS, **_NUMBER_BYTES}


class Tag(NamedTuple):
    """A tag of type `kind`, with `length` values from data[at] on."""

    number: int
    kind: int
    length: int
    at: int

    @property
    def value_bytes(self) -> int:
        """Bytes of one value; 0 if the type is unknown."""
        return _VALUE_BYTES.get(self.kind, 0)

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return self.value_bytes * self.length


class _Layout(NamedTuple):
    """How a directory is stored, as formats of `struct`.

    Attributes:
        pointer: A place in the file.
        first: Where the pointer to the first directory stands.
        counter: The number of entries.
        entry: Number, type and length of a tag; a pointer follows, or the values themselves if they fit in its place.
    """

    pointer: str
    first: int
    counter: str
    entry: str


def _layout(data: bytes) -> _Layout | None:
    order = _ORDERS.get(data[:2], "")
    if data[:4] in CLASSIC:
        return _Layout(order + "I", 4, order + "H", order + "HHI")
    if data[:4] in BIG:
        return _Layout(order + "Q", 8, order + "Q", order + "HHQ")
    return None


def tags(data: bytes) -> Iterator[Tag]:
    """Yield the tags of the first directory whose values lie within the data.

    Of a damaged directory, those before the damage.
    """
    layout = _layout(data)
    if layout is None:
        return
    # The directory ends, or lies, outside of the data
    with contextlib.suppress(struct.error, OverflowError):
        for tag in _entries(data, layout):
            if 0 < tag.size <= len(data) - tag.at:
                yield tag


def _entries(data: bytes, layout: _Layout) -> Iterator[Tag]:
    """Yield all entries; raises a struct.error or an OverflowError where the data does not hold them."""
    head, inline = struct.calcsize(layout.entry), struct.calcsize(layout.pointer)
    (directory,) = struct.unpack_from(layout.pointer, data, layout.first)
    (length,) = struct.unpack_from(layout.counter, data, directory)
    place = directory + struct.calcsize(layout.counter)
    for _ in range(length):
        number, kind, count = struct.unpack_from(layout.entry, data, place)
        (pointer,) = struct.unpack_from(layout.pointer, data, place + head)
        tag = Tag(number, kind, count, place + head)
        if tag.size > inline:
            tag = tag._replace(at=pointer)
        yield tag
        place += head + inline


def first_tag(data: bytes, number: int) -> Tag | None:
    """Find the first tag of a number."""
    for tag in tags(data):
        if tag.number == number:
            return tag
    return None


def by_number(listed: Iterable[Tag]) -> dict[int, Tag]:
    """Tags by their numbers; where a number is repeated, the first tag counts."""
    found: dict[int, Tag] = {}
    for tag in listed:
        found.setdefault(tag.number, tag)
    return found


def numbers(data: bytes, tag: Tag, most: int = 16) -> list[float]:
    """Read the first `most` values of a tag.

    Returns:
        An empty list if they are not numbers; 0 for a fraction without denominator.
    """
    if tag.kind in _TEXTS:
        return []
    layout = _ORDERS[data[:2]] + _NUMBERS[tag.kind]
    end = tag.at + tag.value_bytes * min(tag.length, most)
    values = []
    for place in range(tag.at, end, tag.value_bytes):
        stored = struct.unpack_from(layout, data, place)
        values.append(_fraction(*stored) if len(stored) == 2 else stored[0])
    return values


def _fraction(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else 0
