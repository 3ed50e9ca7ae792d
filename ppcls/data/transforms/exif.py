"""The orientation that a camera notes beside a picture (Exif 2.32, section 4.6.4, tag 0x0112)."""

from __future__ import annotations

import struct

import numpy as np

_TAG = 0x0112
_SHORT = 3
_ENTRY_BYTES = 12


def exif_orientation(exif: bytes) -> int:
    """Orientation 1 to 8 from an Exif block; 1, upright, where the block states none or is damaged.

    Cameras and editors write damaged blocks beside sound pixels, so such a block says nothing instead of making the
    picture unreadable.
    """
    tiff = exif[6:] if exif.startswith(b"Exif\0\0") else exif
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 1
    (directory,) = struct.unpack_from(order + "I", tiff, 4)
    if directory + 2 > len(tiff):
        return 1
    (count,) = struct.unpack_from(order + "H", tiff, directory)
    first = directory + 2
    last = min(first + count * _ENTRY_BYTES, len(tiff) - _ENTRY_BYTES + 1)
    for entry in range(first, last, _ENTRY_BYTES):
        tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, entry)
        if tag == _TAG and kind == _SHORT:
            return value if 1 <= value <= 8 else 1
    return 1


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """The picture [H, W, ...] turned and mirrored so that its first row is the top; a view where possible."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image
