"""The orientation that a camera or an editor notes beside a picture.

It stands in an Exif block (Exif 2.32, section 4.6.4, tag 0x0112), which a PNG may hold as text, or in XMP. What
Pillow's `ImageOps.exif_transpose` turns is turned.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ppcls.data.transforms.tiff_tags import CLASSIC, numbers, tags

_TAG = 0x0112
_UPRIGHT = 1
_PREFIX = re.compile(rb"(?:Exif\0\0){1,2}")
_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


def stated_orientation(info: Mapping[Any, Any]) -> int:
    """Orientation 1 to 8 from what Pillow's `Image.info` holds of a file; 1, upright, where nothing is stated.

    Cameras and editors write damaged blocks beside sound pixels, so such a block says nothing instead of making the
    picture unreadable.
    """
    exif = info.get("exif") or _from_text(info.get("Raw profile type exif") or "")
    orientation = exif_orientation(exif)
    if orientation is None:
        orientation = _xmp_orientation(
            info.get("XML:com.adobe.xmp") or info.get("xmp") or b""
        )
    return (
        orientation if orientation is not None and 1 <= orientation <= 8 else _UPRIGHT
    )


def exif_orientation(exif: bytes) -> int | None:
    """The value of the tag in an Exif block, 1 where it is no orientation; None where the tag is not there."""
    prefix = _PREFIX.match(exif)
    tiff = exif[prefix.end() :] if prefix else exif
    if tiff[:4] not in CLASSIC:
        return None
    for tag in tags(tiff):
        if tag.number == _TAG:
            values = numbers(tiff, tag, most=1)
            return int(values[0]) if values and values[0] in range(1, 9) else _UPRIGHT
    return None


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
