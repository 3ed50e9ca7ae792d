"""Strict decoding of JPEG files.

OpenCV and Pillow fill up what is missing of a JPEG and report nothing. simplejpeg, at OpenCV's speed and to the same
pixels, reports the first thing that libjpeg-turbo noticed; `jpeg_damage` judges it.
"""

from __future__ import annotations

import threading

import numpy as np
import simplejpeg
from PIL import Image

from ppcls.data.transforms.base import Box, cut
from ppcls.data.transforms.jpeg_blocks import cut_blocks
from ppcls.data.transforms.jpeg_damage import (
    LEFT_OVER,
    check_complete,
    has_hole,
    padding_before_end,
    restart_intervals,
    restarts,
    without_harmless_defects,
)
from ppcls.data.transforms.jpeg_markers import END_MARKER, LOSSLESS, Frame, end_of_image

_CHANNELS = {"RGB": 3, "BGR": 3, "CMYK": 4, "GRAY": 1}
# Rows below the part that its lowest row depends on: chroma at half the rows is interpolated between two of them.
_ROWS_BELOW = 2
# Rows that are coded together where chroma has half the rows, as in most files; otherwise fewer
_CODED_ROWS = 16
_KEPT = 2**19  # bytes of a file for which each thread keeps memory


class _Scratch(threading.local):
    """Memory that a thread uses again for every picture: copying to fresh memory takes ten times as long."""

    def __init__(self) -> None:
        self._kept = memoryview(bytearray(_KEPT))

    def take(self, size: int) -> memoryview:
        """`size` bytes, which are the caller's until the thread's next call."""
        if size > _KEPT:
            return memoryview(bytearray(size))
        return self._kept[:size]


_SCRATCH = _Scratch()


def decode_whole(data: bytes, frame: Frame, to_rgb: bool) -> np.ndarray | None:
    """Decode the picture, uint8 [H, W, 3].

    With arithmetic coding, which hardly any program writes or reads, only a missing end marker is noticed: where its
    data ends early, the standard has zeros read.

    Returns:
        None where its sampling is one that simplejpeg does not know.

    Raises:
        JpegError: Coded data is damaged or missing.
    """
    colorspace = _colorspace(frame, to_rgb)
    pixels, notice = _decoded(data, frame, frame.height, colorspace)
    if notice and not padding_before_end(data, frame, notice):
        # Only the first notice is reported: a harmless one must not hide others
        data = without_harmless_defects(data, frame)
        pixels, notice = _decoded(data, frame, frame.height, colorspace)
    if notice and not _is_known_sampling(data):
        return None
    check_complete(data, frame, notice)
    if colorspace == "GRAY":
        return np.repeat(pixels, 3, axis=2)
    if colorspace == "CMYK":
        rgb = _from_inverted_cmyk(pixels)
        return rgb if to_rgb else rgb[..., ::-1]
    return pixels


def decode_part(data: bytes, frame: Frame, box: Box, to_rgb: bool) -> np.ndarray | None:
    """Decode the part `box`, uint8 [h, w, 3]: the same bits as of the whole picture.

    Only the blocks that it needs are decoded where restart markers tell them apart, else the rows down to its end. What
    is missing or damaged elsewhere is not noticed, except for missing markers.

    Returns:
        None where the file is damaged or incomplete, or not in one scan from top to bottom: decode it as a whole, which
        raises what is wrong.
    """
    blocks = None
    if frame.restart and _runs_in_known_colors(frame):
        blocks = cut_blocks(data, frame, box)
    if blocks is None:
        rows = decode_rows(data, frame, box[1] + box[3], to_rgb)
        return None if rows is None else cut(rows, box)
    if has_hole(blocks.data, frame, 0):
        return None
    pixels, notice = _decoded(
        blocks.data, blocks.frame, blocks.frame.height, _colorspace(frame, to_rgb)
    )
    return None if notice else cut(pixels, blocks.box)


def decode_rows(
    data: bytes, frame: Frame, rows: int, to_rgb: bool
) -> np.ndarray | None:
    """Decode the first `rows` rows at least, uint8 [H', W, 3]: the same bits as of the whole picture.

    The decoder gets the file with a smaller height in its frame, and so stops early: what is missing or damaged further
    below is not noticed, except for a missing end marker.

    Returns:
        None where the file is damaged or incomplete, or not in one scan from top to bottom: decode it as a whole, which
        raises what is wrong.
    """
    if not _can_stop_early(data, frame):
        return None
    colorspace = "RGB" if to_rgb else "BGR"
    height = rows + _ROWS_BELOW
    if (height - 1) // _CODED_ROWS >= (frame.height - 1) // _CODED_ROWS:
        pixels, notice = _decoded(data, frame, frame.height, colorspace)
        return None if notice else pixels
    content = _with_height(data, frame, height)
    if content is None:
        return None
    pixels, notice = _decoded(content, frame, height, colorspace)
    # Coded data of the rows below is left over
    if notice and not LEFT_OVER.search(notice):
        return None
    return pixels


def _can_stop_early(data: bytes, frame: Frame) -> bool:
    """Whether the first rows can be decoded alone, of a file that is complete as far as it is cheap to see."""
    if not _runs_in_known_colors(frame):
        return False
    has_end = data.endswith(END_MARKER) or end_of_image(data) is not None
    return has_end and not has_hole(data, frame, 0)


def _runs_in_known_colors(frame: Frame) -> bool:
    return frame.runs_from_the_top and len(frame.sampling) != 4


def _colorspace(frame: Frame, to_rgb: bool) -> str:
    """What simplejpeg is asked for."""
    components = len(frame.sampling)
    if components == 4:
        return "CMYK"
    # libjpeg-turbo repeats gray to three channels in the other processes only
    if components == 1 and frame.process == LOSSLESS:
        return "GRAY"
    return "RGB" if to_rgb else "BGR"


def _from_inverted_cmyk(pixels: np.ndarray) -> np.ndarray:
    """CMYK as Adobe writes it, uint8 [H, W, 4], to RGB by Pillow's formula."""
    height, width = pixels.shape[:2]
    image = Image.frombytes("CMYK", (width, height), 255 - pixels)
    return np.asarray(image.convert("RGB"))


def _with_height(data: bytes, frame: Frame, height: int) -> memoryview | None:
    """The file with another height in its frame, and without the restart markers after the rows that remain.

    It is valid until the thread calls this again.

    Returns:
        None where there are fewer restart markers than these rows need.
    """
    end, closing = len(data), b""
    if frame.restart:
        markers = restarts(data, frame)
        wanted = restart_intervals(frame, height)
        if len(markers) < wanted - 1:
            return None
        if len(markers) >= wanted:
            end, closing = markers[wanted - 1], END_MARKER
    content = _SCRATCH.take(end + len(closing))
    content[:end] = memoryview(data)[:end]
    content[end:] = closing
    content[frame.height_at : frame.height_at + 2] = height.to_bytes(2, "big")
    return content


def _decoded(
    data: bytes | memoryview, frame: Frame, height: int, colorspace: str
) -> tuple[np.ndarray, str]:
    """Pixels uint8 [height, W, C], and the first thing that libjpeg-turbo noticed; then rows may be unwritten."""
    pixels = np.empty((height, frame.width, _CHANNELS[colorspace]), np.uint8)
    try:
        simplejpeg.decode_jpeg(data, colorspace, buffer=pixels)
    except ValueError as error:
        return pixels, str(error) or type(error).__name__
    return pixels, ""


def _is_known_sampling(data: bytes) -> bool:
    """Whether simplejpeg knows the sampling."""
    try:
        simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return False
    return True
