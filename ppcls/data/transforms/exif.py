"""The orientation that a camera or an editor notes beside a picture.

It stands in an Exif block (Exif 2.32, section 4.6.4, tag 0x0112), which a PNG may hold as text, or in XMP. The pictures
that are turned are those that Pillow's `ImageOps.exif_transpose` turns.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ppcls.data.transforms.tiff_tags import CLASSIC, first_tag, numbers

_TAG = 0x0112
_UPRIGHT, _ORIENTATIONS = 1, range(1, 9)
_PREFIX = re.compile(rb"\A(?:Exif\0\0){1,2}")
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


def stated_orientation(info: Mapping[Any, Any]) -> int:
    """Read the orientation, 1 to 8, from what Pillow's `Image.info` holds of a file; 1, upright, if it states none.

    Cameras and editors write damaged blocks beside sound pixels, so a damaged block counts as none instead of making
    the picture unreadable.
    """
    exif = info.get("exif") or _from_text(info.get("Raw profile type exif", ""))
    orientation = exif_orientation(exif)
    if orientation is None:
        xmp = info.get("XML:com.adobe.xmp") or info.get("xmp", b"")
        orientation = _xmp_orientation(xmp)
    return _valid(orientation)


def _valid(orientation: Any) -> int:
    """An orientation; upright for any other value."""
    if orientation in _ORIENTATIONS:
        return int(orientation)
    return _UPRIGHT


def exif_orientation(exif: bytes) -> int | None:
    """Read the tag in an Exif block: 1 if its value is not an orientation, None if the block has no such tag."""
    tiff = _PREFIX.sub(b"", exif)
    tag = first_tag(tiff, _TAG) if tiff[:4] in CLASSIC else None
    if tag is None:
        return None
    values = numbers(tiff, tag, most=1)
    return _valid(next(iter(values), _UPRIGHT))


def _from_text(text: str) -> bytes:
    """Read the block that ImageMagick writes as text: a name, the length and hexadecimal digits, each on a new line."""
    with contextlib.suppress(ValueError):
        return bytes.fromhex("".join(text.split("\n")[3:]))
    return b""


def _xmp_orientation(xmp: str | bytes) -> int | None:
    if isinstance(xmp, str):
        xmp = xmp.encode("utf-8", "replace")
    found = _XMP_ORIENTATION.search(xmp)
    return int(found[1]) if found else None


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn and mirror the picture [H, W, ...] so that its first row is the top; returns a view."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image
