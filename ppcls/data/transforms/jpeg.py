"""Whether a JPEG file is whole (ITU-T T.81, annex B)."""

from __future__ import annotations

import re

# Within coded data 0xFF is followed by 0x00, by a restart marker, or by another 0xFF that only fills.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])", re.DOTALL)
_END_OF_IMAGE = b"\xd9"


def jpeg_is_complete(data: bytes) -> bool:
    """Whether the end marker of the first image is there.

    OpenCV fills what is missing of a cut file with gray and says nothing, so the markers are read here. Looking for
    the last two bytes alone would not do: thumbnails have an end marker too, and cameras append films.
    """
    position = 0
    while marker := _MARKER.search(data, position):
        if marker[1] == _END_OF_IMAGE:
            return True
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return False
