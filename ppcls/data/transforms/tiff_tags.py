"""Tags of a TIFF directory, which Exif blocks are too (TIFF 6.0, section 2; BigTIFF has wider fields)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
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


class Tag(NamedTuple):
    """A tag of type `kind`, with `length` values from data[at] on."""

    number: int
    kind: int
    length: int
    at: int

    @property
    def value_bytes(self) -> int:
        """Bytes of one value; 0 if the type is unknown."""
        return _TEXTS.get(self.kind) or struct.calcsize(
            "<" + _NUMBERS.get(self.kind, "")
        )


def tags(data: bytes) -> Iterator[Tag]:
    """The tags of the first directory whose values lie within the data; in a damaged one, those before the damage."""
    order = _ORDERS.get(data[:2])
    if order is None or data[:4] not in (*CLASSIC, *BIG):
        return
    is_big = data[:4] in BIG
    pointer = order + ("Q" if is_big else "I")
    counter, entry = (
        (order + "Q", order + "HHQ") if is_big else (order + "H", order + "HHI")
    )
    head, inline = struct.calcsize(entry), struct.calcsize(pointer)
    try:
        (directory,) = struct.unpack_from(pointer, data, 8 if is_big else 4)
        (length,) = struct.unpack_from(counter, data, directory)
        place = directory + struct.calcsize(counter)
        for _ in range(length):
            number, kind, count = struct.unpack_from(entry, data, place)
            tag = Tag(number, kind, count, place + head)
            if tag.at + inline > len(data):
                return
            size = tag.value_bytes * count
            if size > inline:
                tag = tag._replace(at=struct.unpack_from(pointer, data, tag.at)[0])
            if size and tag.at + size <= len(data):
                yield tag
            place += head + inline
    # The directory ends, or lies, outside of the data
    except (struct.error, OverflowError):
        return


def numbers(data: bytes, tag: Tag, most: int = 16) -> list[float]:
    """The first `most` values of a tag; none if they are no numbers, and 0 for a fraction without denominator."""
    if tag.kind in _TEXTS:
        return []
    layout = _ORDERS[data[:2]] + _NUMBERS[tag.kind]
    values = []
    for place in range(
        tag.at, tag.at + tag.value_bytes * min(tag.length, most), tag.value_bytes
    ):
        number, *denominator = struct.unpack_from(layout, data, place)
        if denominator:
            number = number / denominator[0] if denominator[0] else 0
        values.append(number)
    return values
