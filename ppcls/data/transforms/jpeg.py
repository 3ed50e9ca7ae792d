"""What the markers of a JPEG file tell without decoding it (ITU-T T.81, annex B)."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import cv2
import numpy as np

try:
    import simplejpeg
except ImportError:
    simplejpeg = None

# Within coded data 0xFF is followed by 0x00, by a restart marker, or by another 0xFF that only fills.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd9-\xfe])", re.DOTALL)
_END_OF_IMAGE = b"\xd9"
_SEQUENTIAL = (0xC0, 0xC1)  # frames whose rows are coded one after the other, by Huffman's code
# Other frames, and markers that have no place before the coded data.
_UNEXPECTED = frozenset((*range(0xC0), *range(0xC2, 0xC4), *range(0xC5, 0xCC), *range(0xCD, 0xDA), 0xFF))
_START_OF_SCAN, _EXIF = 0xDA, 0xE1
# Rows below the part that its lowest row depends on: chroma at half the rows is interpolated between two of them.
_ROWS_BELOW = 2
_CODED_ROWS = 16  # that are coded together where chroma has half the rows, as mostly; else fewer
_COLOR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_RGB = getattr(cv2, "IMREAD_COLOR_RGB", cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION  # since OpenCV 4.11


def jpeg_is_complete(data: bytes) -> bool:
    """Whether the end marker of the first image is there.

    OpenCV fills what is missing of a cut file with gray and says nothing, so the markers are read here. Looking for
    the last two bytes alone would not do: thumbnails have an end marker too, and cameras append films.
    """
    return _end_of_image(data) is not None


def _end_of_image(data: bytes, position: int = 2) -> int | None:
    """Where the first image's end marker stands, looking from `position` on."""
    while marker := _MARKER.search(data, position):
        if marker[1] == _END_OF_IMAGE:
            return marker.start()
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return None


@dataclass(frozen=True)
class Frame:
    """An image of 8 bits, gray or in three colours, whose rows are coded in one scan from top to bottom.

    `height_at` is the place of the height within the file, `scan_at` that of the coded data.
    """

    width: int
    height: int
    height_at: int
    scan_at: int
    exif: bytes


def jpeg_frame(data: bytes) -> Frame | None:
    """The file's frame; None for every other kind of file, and for what is damaged before the coded data."""
    if data[:3] != b"\xff\xd8\xff":
        return None
    position, exif, frame = 2, b"", None
    while position + 4 <= len(data) and data[position] == 0xFF:
        kind, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        body = position + 4
        if kind in _UNEXPECTED or (kind in _SEQUENTIAL and frame is not None) or length < 2:
            return None
        if kind in _SEQUENTIAL:
            frame = position
        elif kind == _EXIF and data.startswith(b"Exif\0\0", body):
            if exif:
                return None
            exif = data[body : position + 2 + length]
        elif kind == _START_OF_SCAN:
            return _checked_frame(data, frame, body, position + 2 + length, exif)
        position += 2 + length
    return None


def _checked_frame(data: bytes, frame: int | None, scan: int, scan_at: int, exif: bytes) -> Frame | None:
    if frame is None or not frame + 10 <= scan < len(data):
        return None
    bits, components = data[frame + 4], data[frame + 9]
    height, width = (int.from_bytes(data[frame + at : frame + at + 2], "big") for at in (5, 7))
    if bits != 8 or components not in (1, 3) or data[scan] != components or not height or not width:
        return None
    return Frame(width, height, frame + 5, scan_at, exif)


def decode_rows(data: bytes, frame: Frame, rows: int, to_rgb: bool) -> np.ndarray | None:
    """The first `rows` rows at least, uint8 [H', W, 3]: the same bits as of the whole picture.

    The decoder gets the file with a smaller height in its frame, and so stops early. It gets no end marker, or it
    would complain of the coded data that it left. simplejpeg is the faster one, if it is installed.

    Returns:
        None where the file is damaged or incomplete: decode it as a whole, and learn what is wrong.
    """
    # A file that ends with the marker is whole; where the first of its images ends matters to OpenCV's complaints only.
    ends = simplejpeg is not None and data.endswith(b"\xff" + _END_OF_IMAGE)
    end = len(data) - 2 if ends else _end_of_image(data, frame.scan_at)
    if end is None:
        return None
    height, content = frame.height, np.frombuffer(data, np.uint8)
    saves = (rows + _ROWS_BELOW - 1) // _CODED_ROWS < (height - 1) // _CODED_ROWS
    if saves and (simplejpeg is not None or _refuses_what_ends_early()):
        height, content = rows + _ROWS_BELOW, content[:end].copy()
        content[frame.height_at : frame.height_at + 2] = divmod(height, 256)
    pixels = by_opencv(content, to_rgb) if simplejpeg is None else _by_simplejpeg(content, to_rgb)
    return pixels if pixels is not None and pixels.shape == (height, frame.width, 3) else None


def by_opencv(content: np.ndarray, to_rgb: bool) -> np.ndarray | None:
    """Pixels uint8 [H, W, 3]; None if OpenCV cannot decode them. OpenCV turns BGR around 15 times as fast as numpy."""
    pixels = cv2.imdecode(content, _RGB if to_rgb else _COLOR)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if to_rgb and _RGB == _COLOR and pixels is not None else pixels


def _by_simplejpeg(content: np.ndarray, to_rgb: bool) -> np.ndarray | None:
    try:
        return simplejpeg.decode_jpeg(content, "RGB" if to_rgb else "BGR", strict=False)
    except ValueError:  # a damaged file, or a kind that only OpenCV knows
        return None


@functools.cache
def _refuses_what_ends_early() -> bool:
    """Whether this OpenCV gives nothing for coded data that ends too early; older ones leave rows unwritten."""
    whole = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))[1]
    return cv2.imdecode(whole[: len(whole) // 2], _COLOR) is None
