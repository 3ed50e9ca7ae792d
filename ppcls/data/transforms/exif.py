"""The orientation that a camera or an editor notes beside a picture.

It stands in an Exif block (Exif 2.32, section 4.6.4, tag 0x0112), which a PNG may hold as text, or in XMP. What
Pillow's `ImageOps.exif_transpose` turns is turned.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

_TAG = 0x0112
_ENTRY_BYTES = 12
_UPRIGHT = 1
# One value of a tag, by its type (TIFF 6.0, section 2); two numbers are a fraction.
_NUMBERS = {3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I", 16: "Q"}
_TEXTS = (1, 2, 7)
_ORDERS = {b"II*\0": "<", b"MM\0*": ">", b"II\0*": "<", b"MM*\0": ">"}  # the last two are written by mistake
_PREFIX = re.compile(rb"(?:Exif\0\0){1,2}")
_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


def stated_orientation(info: Mapping[str, Any]) -> int:
    """Orientation 1 to 8 from what Pillow's `Image.info` holds of a file; 1, upright, where nothing is stated.

    Cameras and editors write damaged blocks beside sound pixels, so such a block says nothing instead of making the
    picture unreadable.
    """
    exif = info.get("exif") or _from_text(info.get("Raw profile type exif") or "")
    orientation = exif_orientation(exif)
    if orientation is None:
        orientation = _xmp_orientation(info.get("XML:com.adobe.xmp") or info.get("xmp") or b"")
    return orientation if orientation is not None and 1 <= orientation <= 8 else _UPRIGHT


def exif_orientation(exif: bytes) -> int | None:
    """The value of the tag in an Exif block, 1 where it is no orientation; None where the tag is not there."""
    prefix = _PREFIX.match(exif)
    tiff = exif[prefix.end() :] if prefix else exif
    order = _ORDERS.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return None
    (directory,) = struct.unpack_from(order + "I", tiff, 4)
    if directory + 2 > len(tiff):
        return None
    (count,) = struct.unpack_from(order + "H", tiff, directory)
    first = directory + 2
    last = min(first + count * _ENTRY_BYTES, len(tiff) - _ENTRY_BYTES + 1)
    for entry in range(first, last, _ENTRY_BYTES):
        tag, kind, length = struct.unpack_from(order + "HHI", tiff, entry)
        if tag == _TAG:
            value = _value(tiff, order, entry + 8, kind, length)
            if value is not None:
                return value
    return None


def _value(tiff: bytes, order: str, field: int, kind: int, length: int) -> int | None:
    """The first of a tag's values, 1 where it is no orientation; None where there is none."""
    if kind in _TEXTS and length:
        return _UPRIGHT
    layout = order + _NUMBERS.get(kind, "")
    size = struct.calcsize(layout) * length
    if not size:
        return None
    place = field
    if size > 4:
        (place,) = struct.unpack_from(order + "I", tiff, field)
    if place + size > len(tiff):
        return None
    number, *denominator = struct.unpack_from(layout, tiff, place)
    if denominator:
        number = number / denominator[0] if denominator[0] else 0
    return int(number) if number in range(1, 9) else _UPRIGHT


def _from_text(text: str) -> bytes:
    """The block that ImageMagick writes as text: a name, the length and hexadecimal digits, each on a new line."""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return b""


def _xmp_orientation(xmp: str | bytes) -> int | None:
    found = _XMP.search(xmp.encode("utf-8", "replace") if isinstance(xmp, str) else xmp)
    return int(found[1]) if found else None


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """The picture [H, W, ...] turned and mirrored so that its first row is the top; a view where possible."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image
