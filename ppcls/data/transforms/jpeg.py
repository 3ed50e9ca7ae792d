"""Strict decoding of JPEG files.

OpenCV and Pillow fill up what is missing of a JPEG and report nothing. simplejpeg, at OpenCV's speed and to the same
pixels, reports the first thing that libjpeg-turbo noticed. Most notices mean that coded data is missing; the harmless
ones are recognised here. What it does not notice at all, zeros and missing scans, is looked for here too.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import numpy as np
import simplejpeg
from PIL import Image

from ppcls.data.transforms.base import Box, cut
from ppcls.data.transforms.jpeg_blocks import cut_blocks
from ppcls.data.transforms.jpeg_markers import (
    APP0,
    APP14,
    APP15,
    COMMENT,
    END_MARKER,
    HUFFMAN_TABLES,
    LOSSLESS,
    PROGRESSIVE,
    SEQUENTIAL,
    START_OF_SCAN,
    Frame,
    Segment,
    end_of_image,
    segments,
    unit_size,
)

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


LEFT_OVER = re.compile(r"(\d+) extraneous bytes before marker 0xd9$")
"""libjpeg-turbo's words for bytes between the last row's coded data and the end marker."""

_ADOBE = re.compile(rb"Adobe.{7}", re.DOTALL)
_RESTART = re.compile(rb"\xff[\xd0-\xd7]", re.DOTALL)
# Bytes of any value that encoders in hardware leave before the end marker, because they write whole registers
_FLUSHED = 8
_HOLE = bytes(64)
_METADATA = frozenset((*range(APP0, APP15 + 1), COMMENT))
_COEFFICIENTS = 64  # of a block


class JpegError(ValueError):
    """Coded data that is damaged or missing."""


def check_complete(data: bytes, frame: Frame, notice: str) -> None:
    """Check that the whole picture was there.

    Args:
        data: The file.
        frame: Its frame.
        notice: What libjpeg-turbo reported; empty if nothing.

    Raises:
        JpegError: It was not; says why.
    """
    padding = 0
    if notice:
        _expect(end_of_image(data, frame.scan_at), "the file is truncated")
        padding = padding_before_end(data, frame, notice)
        _expect(padding, f"its coded data is damaged or incomplete ({notice})")
    _expect(
        not has_hole(data, frame, padding),
        "its coded data is damaged: a part of it was overwritten with zeros",
    )
    _expect(
        _has_all_scans(data, frame), "its coded data is incomplete: scans are missing"
    )


def _expect(condition: object, reason: str) -> None:
    if not condition:
        raise JpegError(reason)


def padding_before_end(data: bytes, frame: Frame, notice: str) -> int:
    """Count the bytes of padding before the end marker, if the notice is about padding; else 0."""
    found = LEFT_OVER.search(notice)
    end = end_of_image(data, frame.scan_at)
    if found is None or end is None:
        return 0
    if frame.restart and not _has_all_restarts(data, frame):
        return 0  # the bytes may stand where a restart marker is missing
    count = int(found[1])
    padding = _without_fill_bytes(data, end)[-count:]
    is_filling = count <= _FLUSHED or len(set(padding)) == 1
    return count * is_filling


def _without_fill_bytes(data: bytes, end: int) -> bytes:
    """The file up to `end` without the fill bytes 0xFF there, which libjpeg-turbo does not count."""
    return data[:end].rstrip(b"\xff")


def _has_all_restarts(data: bytes, frame: Frame) -> bool:
    # They are counted in one scan only
    wanted = restart_intervals(frame, frame.height) - 1
    return frame.runs_from_the_top and len(restarts(data, frame)) == wanted


def restarts(data: bytes, frame: Frame) -> list[int]:
    """Find the restart markers of an image in one scan."""
    end = end_of_image(data, frame.scan_at) or len(data)
    markers = _RESTART.finditer(data, frame.scan_at, end)
    return [marker.start() for marker in markers]


def restart_intervals(frame: Frame, height: int) -> int:
    """Count the parts that restart markers divide the scan of the first `height` rows into."""
    across, down = unit_size(frame)
    units = -(-frame.width // across) * -(-height // down)
    return -(-units // frame.restart)


def has_hole(data: bytes, frame: Frame, padding: int) -> bool:
    """Whether a run of zeros, before the `padding` at the end, cannot be coded data.

    Decoders take zeros for blocks, and now and then come out even. Zero bits are the shortest code word. Where it ends
    a block, zeros are a plain area; elsewhere they give every coefficient of one block after the other the same value,
    which no picture does.
    """
    # Most files end here: they hold no zeros
    if not frame.runs_from_the_top or data.find(_HOLE, frame.scan_at) < 0:
        return False
    end = end_of_image(data, frame.scan_at) or frame.scan_at
    if padding:
        end = len(_without_fill_bytes(data, end)) - padding
    has_zeros = data.find(_HOLE, frame.scan_at, end) >= 0
    return has_zeros and not _zeros_end_blocks(data)


def _zeros_end_blocks(data: bytes) -> bool:
    """Whether the shortest code word ends a block in all tables that the first scan uses; True without a scan."""
    # By number, of the tables of the coefficients after each block's first
    first_words: dict[int, int] = {}
    for segment in segments(data):
        if segment.kind == HUFFMAN_TABLES:
            first_words.update(_first_words(data[segment.body : segment.end]))
        elif segment.kind == START_OF_SCAN:
            selectors = data[segment.body + 2 : segment.end - 3 : 2]
            used = {selector % 16 for selector in selectors}
            return all(first_words.get(table, 0) % 16 == 0 for table in used)
    return True


def _first_words(tables: bytes) -> Iterator[tuple[int, int]]:
    """Yield the number of each table of class 1 in a segment (T.81, B.2.4.2), and what its shortest code word means."""
    while len(tables) > 17:
        kind, number = divmod(tables[0], 16)
        if kind == 1:
            yield number, tables[17]
        tables = tables[17 + sum(tables[1:17]) :]


def _has_all_scans(data: bytes, frame: Frame) -> bool:
    """Whether the scans give every bit of every coefficient. Decoders take what never comes for zero."""
    is_progressive = frame.process in PROGRESSIVE
    if frame.in_one_scan and not is_progressive:
        return True
    # By component, the bits that each coefficient still lacks
    missing: dict[int, dict[int, int]] = {}
    for segment in segments(data):
        if segment.kind == frame.process:
            for component in data[segment.body + 6 : segment.end : 3]:
                missing[component] = dict.fromkeys(range(_COEFFICIENTS), 16)
        elif segment.kind == START_OF_SCAN:
            given = _given_by_scan(data, segment, is_progressive)
            for component in data[segment.body + 1 : segment.end - 3 : 2]:
                missing[component].update(given)
    return sum(sum(bits.values()) for bits in missing.values()) == 0


def _given_by_scan(
    data: bytes, segment: Segment, is_progressive: bool
) -> dict[int, int]:
    """The coefficients that a scan holds, each with the bits that are still missing after it (T.81, B.2.3)."""
    first, last, bits = data[segment.end - 3 : segment.end]
    if not is_progressive:
        return dict.fromkeys(range(_COEFFICIENTS), 0)
    return dict.fromkeys(range(first, last + 1), bits & 0x0F)


def without_harmless_defects(data: bytes, frame: Frame) -> bytes:
    """The file without what libjpeg-turbo remarks on though it does not matter to the pixels.

    That is: a broken colour profile, bytes between segments, versions and colour transforms that are not defined (which
    count as the usual ones), and the parameters of progressive scans where scans are sequential.
    """
    parts = [data[:2]]
    coded = 0  # where the coded data before a segment begins
    for segment in segments(data):
        if coded:
            parts.append(data[coded : segment.start])
        coded = segment.end if segment.kind == START_OF_SCAN else 0
        body = _usual_body(segment.kind, data[segment.body : segment.end], frame)
        if body is not None:
            parts.append(data[segment.start : segment.body] + body)
    if coded:
        parts.append(data[coded:])
    return b"".join(parts)


def _usual_body(kind: int, body: bytes, frame: Frame) -> bytes | None:
    """A segment's parameters with usual values; None for a segment that does not matter to the pixels."""
    if kind == APP0 and body.startswith(b"JFIF\0"):
        return body[:5] + b"\1" + body[6:]
    if kind == APP14 and _ADOBE.match(body):
        return body[:11] + _usual_transform(body[11], frame) + body[12:]
    if kind == START_OF_SCAN and frame.process in SEQUENTIAL:
        return body[:-3] + bytes([0, 63, 0])
    return None if kind in _METADATA else body


def _usual_transform(transform: int, frame: Frame) -> bytes:
    """Adobe's colour transform: none where it is 0, else YCCK or YCbCr."""
    if transform == 0:
        return b"\0"
    return b"\2" if len(frame.sampling) == 4 else b"\1"
