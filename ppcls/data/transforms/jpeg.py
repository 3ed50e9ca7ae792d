"""JPEG files: what their markers tell (ITU-T T.81, annex B), and strict decoding.

OpenCV and Pillow fill up what is missing of a JPEG and say nothing. simplejpeg, at OpenCV's speed and to the same
pixels, tells the first thing that libjpeg-turbo noticed. Most of what it notices means that coded data is missing; what
does not is told apart here.
"""

from __future__ import annotations

import re
import struct
import threading
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import Image

# Within coded data 0xFF is followed by 0x00, by a restart marker, or by another 0xFF that only fills.
_MARKER = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])", re.DOTALL)
_BEHIND_A_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]", re.DOTALL)
_WITH_LENGTH = frozenset((*range(0x02, 0xD0), *range(0xDA, 0xFF)))
_HEAD, _FRAME = struct.Struct(">HH"), struct.Struct(">BBHBHHB")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]", re.DOTALL)
# By Huffman's code; by either code
_SEQUENTIAL, _PROGRESSIVE = (0xC0, 0xC1), (0xC2, 0xCA)
_LOSSLESS = 0xC3
# And sequential by arithmetic code
_KNOWN = (*_SEQUENTIAL, *_PROGRESSIVE, _LOSSLESS, 0xC9)
_FRAMES = frozenset(
    (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
)
_HUFFMAN_TABLES, _RESTART_INTERVAL, _END_OF_IMAGE, _START_OF_SCAN = (
    0xC4,
    0xDD,
    0xD9,
    0xDA,
)
_APP0, _APP1, _APP14, _APP15, _COMMENT = 0xE0, 0xE1, 0xEE, 0xEF, 0xFE
_CHANNELS = {"RGB": 3, "BGR": 3, "CMYK": 4, "GRAY": 1}
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
# Rows below the part that its lowest row depends on: chroma at half the rows is interpolated between two of them.
_ROWS_BELOW = 2
# That are coded together where chroma has half the rows, as mostly; else fewer
_CODED_ROWS = 16
# libjpeg-turbo's words for bytes between the last row's coded data and the end marker.
_LEFT_OVER = re.compile(r"(\d+) extraneous bytes before marker 0xd9$")
# Bytes of any value that encoders in hardware leave there, which write whole registers
_FLUSHED = 8
_HOLE = bytes(64)
_KEPT = 2**19  # bytes of a file for which each thread keeps memory


class _Scratch(threading.local):
    """Memory that a thread uses again for every picture: copying to fresh memory takes ten times as long."""

    def __init__(self) -> None:
        self._kept = memoryview(bytearray(_KEPT))

    def room(self, size: int) -> memoryview:
        """So many bytes, until the thread's next call."""
        return self._kept[:size] if size <= _KEPT else memoryview(bytearray(size))


_SCRATCH = _Scratch()


class JpegError(ValueError):
    """Coded data that is damaged or missing."""


class _Segment(NamedTuple):
    """A marker and its parameters, which are data[body:end]."""

    kind: int
    start: int
    body: int
    end: int


class Frame(NamedTuple):
    """An image of 8 bits with 1, 3 or 4 components: gray, in colour, or CMYK.

    `process` is its marker (T.81, table B.1), `height_at` the place of the height within the file, `scan_at` that of
    the first coded data. `sampling` are the blocks of each component, (across, down), in a unit that is coded together.
    `restart` units lie between two restart markers; 0 where there are none. `in_one_scan`: all components are coded
    together, from top to bottom.
    """

    width: int
    height: int
    process: int
    sampling: tuple[tuple[int, int], ...]
    restart: int
    in_one_scan: bool
    height_at: int
    scan_at: int
    exif: bytes
    xmp: bytes

    @property
    def size(self) -> tuple[int, int, int]:
        """Width, height and number of components."""
        return self.width, self.height, len(self.sampling)

    @property
    def runs_from_the_top(self) -> bool:
        """Whether all of it is in one scan by Huffman's code, row after row."""
        return self.process in _SEQUENTIAL and self.in_one_scan


def _segments(data: bytes, position: int = 2) -> Iterator[_Segment]:
    """The segments of the first image, up to the end marker, which is the last one unless the file is cut.

    Other bytes between segments are passed over, as decoders do; coded data is among them.
    """
    while marker := _MARKER.search(data, position):
        kind, body = marker[1][0], marker.end() + 2
        if kind == _END_OF_IMAGE:
            yield _Segment(kind, marker.start(), marker.end(), marker.end())
            return
        position = marker.end() + int.from_bytes(data[marker.end() : body], "big")
        yield _Segment(kind, marker.start(), body, position)


def end_of_image(data: bytes, position: int = 2) -> int | None:
    """Where the first image's end marker stands, looking from `position` on.

    Looking for the file's last two bytes alone would not do: thumbnails have an end marker too, and cameras append
    films.
    """
    for segment in _segments(data, position):
        if segment.kind == _END_OF_IMAGE:
            return segment.start
    return None


def end_of_scan(data: bytes, position: int) -> int:
    """Where the coded data from `position` on ends: at any marker but those for restarting."""
    marker = _BEHIND_A_SCAN.search(data, position)
    return marker.start() if marker else len(data)


def jpeg_frame(data: bytes) -> Frame | None:
    """The file's frame; None for every other kind of file, and for what is damaged before the coded data."""
    if data[:3] != b"\xff\xd8\xff":
        return None
    position, frame, restart, xmp = 2, 0, 0, b""
    exif: list[bytes] = []
    # By hand, for it takes half the time of `_segments`
    while position + 4 <= len(data):
        marker, length = _HEAD.unpack_from(data, position)
        kind = marker - 0xFF00
        if kind not in _WITH_LENGTH:
            found = _MARKER.search(data, position)
            if found is None or found[1][0] == _END_OF_IMAGE:
                return None
            position = found.start()
            continue
        start, body = position, position + 4
        # A length that leaves out itself counts as no more than itself
        position = max(body, start + 2 + length)
        if position > len(data):
            return None
        if kind == _START_OF_SCAN:
            return (
                _checked_frame(
                    data, frame, body, position, restart, b"".join(exif), xmp
                )
                if frame
                else None
            )
        if kind == _APP1:
            # A block of more than 64 kB goes on in the next segment
            if data.startswith(_EXIF, body):
                exif.append(data[body + len(_EXIF) : position])
            elif data.startswith(_XMP, body):
                xmp = data[body + len(_XMP) : position]
        elif kind in _FRAMES:
            if frame:
                return None
            frame = start
        elif kind == _RESTART_INTERVAL:
            restart = int.from_bytes(data[body : body + 2], "big")
    return None


def jpeg_size(data: bytes) -> tuple[int, int, int]:
    """Width, height and number of components, of any process (T.81, B.2.2).

    Raises:
        JpegError: they are not stated before the first scan.
    """
    for segment in _segments(data):
        if segment.kind in _FRAMES and segment.body + 6 <= len(data):
            height, width, components = struct.unpack_from(
                ">HHB", data, segment.body + 1
            )
            return width, height, components
        if segment.kind == _START_OF_SCAN:
            break
    raise JpegError("the file is truncated or damaged: it states no size")


def count_scans(data: bytes) -> int:
    """The scans of the first image."""
    return sum(segment.kind == _START_OF_SCAN for segment in _segments(data))


def jpeg_refusal(data: bytes) -> str | None:
    """What no decoder here reads of the kind of JPEG that this is; None where it is another kind."""
    for segment in _segments(data):
        if segment.kind not in _FRAMES or segment.body >= len(data):
            continue
        if data[segment.body] != 8:
            return (
                f"the JPEG has {data[segment.body]} bits per value; save it with 8 bits"
            )
        if segment.kind not in _KNOWN:
            return "the JPEG is hierarchical, or lossless by arithmetic code; save it as baseline or progressive"
    return None


def _checked_frame(
    data: bytes,
    frame: int,
    scan: int,
    scan_at: int,
    restart: int,
    exif: bytes,
    xmp: bytes,
) -> Frame | None:
    """The frame whose marker stands at `frame`, if it can be decoded; `scan` is the place of the scan's parameters."""
    if frame + _FRAME.size > scan:
        return None
    _, process, length, bits, height, width, components = _FRAME.unpack_from(
        data, frame
    )
    if (
        process not in _KNOWN
        or bits != 8
        or components not in (1, 3, 4)
        or length != 8 + 3 * components
    ):
        return None
    sampling = tuple(
        divmod(byte, 16) for byte in data[frame + 11 : frame + 10 + 3 * components : 3]
    )
    if (
        not height
        or not width
        or any(0 in blocks for blocks in sampling)
        or scan == scan_at
    ):
        return None
    return Frame(
        width,
        height,
        process,
        sampling,
        restart,
        data[scan] == components,
        frame + 5,
        scan_at,
        exif,
        xmp,
    )


def decode_whole(data: bytes, frame: Frame, to_rgb: bool) -> np.ndarray | None:
    """The picture, uint8 [H, W, 3]; None where its sampling is one that simplejpeg does not know.

    Of arithmetic code, which hardly any program writes or reads, only a missing end marker is noticed: where its data
    ends early, the standard has zeros read.

    Raises:
        JpegError: coded data is damaged or missing.
    """
    components = len(frame.sampling)
    colorspace = "RGB" if to_rgb else "BGR"
    if components == 4:
        colorspace = "CMYK"
    elif components == 1 and frame.process == _LOSSLESS:
        colorspace = "GRAY"  # libjpeg-turbo repeats it in the other processes only
    pixels, notice = _decoded(data, frame, frame.height, colorspace)
    if notice and not _left_over(data, frame, notice):
        # Only the first thing noticed is told: it must not hide others
        data = _plain(data, frame)
        pixels, notice = _decoded(data, frame, frame.height, colorspace)
    if notice and not _is_known(data):
        return None
    _check(data, frame, notice)
    if components != 4:
        return np.repeat(pixels, 3, axis=2) if colorspace == "GRAY" else pixels
    rgb = np.asarray(
        Image.frombytes("CMYK", (frame.width, frame.height), 255 - pixels).convert(
            "RGB"
        )
    )
    return rgb if to_rgb else rgb[..., ::-1]


def decode_rows(
    data: bytes, frame: Frame, rows: int, to_rgb: bool
) -> np.ndarray | None:
    """The first `rows` rows at least, uint8 [H', W, 3]: the same bits as of the whole picture.

    The decoder gets the file with a smaller height in its frame, and so stops early: what is missing or damaged further
    below is not noticed, except for a missing end marker.

    Returns:
        None where the file is damaged or incomplete, or not in one scan from top to bottom: decode it as a whole, and
        learn what is wrong.
    """
    if not frame.runs_from_the_top or len(frame.sampling) == 4:
        return None
    if not (data.endswith(b"\xff\xd9") or end_of_image(data) is not None) or _has_hole(
        data, frame, 0
    ):
        return None
    if (rows + _ROWS_BELOW - 1) // _CODED_ROWS < (frame.height - 1) // _CODED_ROWS:
        height = rows + _ROWS_BELOW
        content = _lower(data, frame, height)
        if content is None:
            return None
        pixels, notice = _decoded(content, frame, height, "RGB" if to_rgb else "BGR")
        return pixels if not notice or _LEFT_OVER.search(notice) else None
    pixels, notice = _decoded(data, frame, frame.height, "RGB" if to_rgb else "BGR")
    return None if notice else pixels


def _lower(data: bytes, frame: Frame, height: int) -> memoryview | None:
    """The file with another height in its frame, and without the restart markers behind the rows that remain.

    It stays until the thread calls this again. None where there are fewer of them than these rows need.
    """
    end, behind = len(data), b""
    if frame.restart:
        markers = _restarts(data, frame)
        wanted = _intervals(frame, height)
        if len(markers) < wanted - 1:
            return None
        if len(markers) >= wanted:
            end, behind = markers[wanted - 1], b"\xff\xd9"
    lower = _SCRATCH.room(end + len(behind))
    lower[:end] = memoryview(data)[:end]
    lower[end:] = behind
    lower[frame.height_at : frame.height_at + 2] = height.to_bytes(2, "big")
    return lower


def _restarts(data: bytes, frame: Frame) -> list[int]:
    """Where the restart markers of an image in one scan stand."""
    end = end_of_image(data, frame.scan_at)
    return [
        marker.start()
        for marker in _RESTART.finditer(
            data, frame.scan_at, len(data) if end is None else end
        )
    ]


def _intervals(frame: Frame, height: int) -> int:
    """The parts that restart markers divide the scan of the first `height` rows into."""
    across, down = (8 * max(blocks) for blocks in zip(*frame.sampling))
    if len(frame.sampling) == 1:
        across = down = 8
    units = -(-frame.width // across) * -(-height // down)
    return -(-units // frame.restart)


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


def _is_known(data: bytes) -> bool:
    try:
        simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return False
    return True


def _check(data: bytes, frame: Frame, notice: str) -> None:
    """Raises a JpegError unless all of the picture was there, where decoding it ended with `notice`."""
    end = end_of_image(data, frame.scan_at) if notice else len(data)
    if end is None:
        raise JpegError("the file is truncated")
    left_over = _left_over(data, frame, notice) if notice else 0
    if notice and not left_over:
        raise JpegError(f"its coded data is damaged or incomplete ({notice})")
    if _has_hole(data, frame, left_over):
        raise JpegError(
            "its coded data is damaged: a part of it was overwritten with zeros"
        )
    if not _has_all_scans(data, frame):
        raise JpegError("its coded data is incomplete: scans are missing")


def _left_over(data: bytes, frame: Frame, notice: str) -> int:
    """How many bytes of padding lie before the end marker, if that is what the notice is about; else 0."""
    found, end = _LEFT_OVER.search(notice), end_of_image(data, frame.scan_at)
    if found is None or end is None:
        return 0
    if frame.restart and not (
        frame.runs_from_the_top and _has_all_restarts(data, frame)
    ):
        return 0  # the bytes may stand where a restart marker is missing
    count = int(found[1])
    padding = data[:end].rstrip(b"\xff")[-count:]  # 0xFF that only fills is not counted
    return count if count <= _FLUSHED or len(set(padding)) == 1 else 0


def _has_all_restarts(data: bytes, frame: Frame) -> bool:
    return len(_restarts(data, frame)) == _intervals(frame, frame.height) - 1


def _has_hole(data: bytes, frame: Frame, left_over: int) -> bool:
    """Whether a run of zeros, before `left_over` bytes at the end, cannot be coded data.

    Decoders take zeros for blocks, and now and then come out even. Zero bits are the shortest code word. Where it ends
    a block, zeros are a plain area; elsewhere they give every coefficient of one block after the other the same value,
    which no picture does.
    """
    if not frame.runs_from_the_top or data.find(_HOLE, frame.scan_at) < 0:
        return False
    end = end_of_image(data, frame.scan_at)
    if end is None:
        return False
    if left_over:
        end = len(data[:end].rstrip(b"\xff")) - left_over
    if data.find(_HOLE, frame.scan_at, end) < 0:
        return False
    # By number, of the tables of the coefficients behind each block's first
    first_words: dict[int, int] = {}
    for segment in _segments(data):
        if segment.kind == _HUFFMAN_TABLES:
            first_words.update(_first_words(data[segment.body : segment.end]))
        elif segment.kind == _START_OF_SCAN:
            used = [
                tables % 16 for tables in data[segment.body + 2 : segment.end - 3 : 2]
            ]
            return any(first_words.get(table, 0) % 16 for table in used)
    return False


def _first_words(tables: bytes) -> Iterator[tuple[int, int]]:
    """Numbers of the tables of class 1 in a segment (T.81, B.2.4.2), and what their shortest code word stands for."""
    while len(tables) > 17:
        kind, number = divmod(tables[0], 16)
        if kind == 1:
            yield number, tables[17]
        tables = tables[17 + sum(tables[1:17]) :]


def _has_all_scans(data: bytes, frame: Frame) -> bool:
    """Whether the scans give every bit of every coefficient. Decoders take what never comes for zero."""
    if frame.process not in _PROGRESSIVE and frame.in_one_scan:
        return True
    # By component, the bits that each coefficient still lacks
    missing: dict[int, dict[int, int]] = {}
    for segment in _segments(data):
        if segment.kind == frame.process:
            for component in data[segment.body + 6 : segment.end : 3]:
                missing[component] = dict.fromkeys(range(64), 16)
        elif segment.kind == _START_OF_SCAN:
            first, last, bits = data[segment.end - 3 : segment.end]
            if frame.process not in _PROGRESSIVE:
                first, last, bits = 0, 63, 0
            for component in data[segment.body + 1 : segment.end - 3 : 2]:
                missing[component].update(
                    dict.fromkeys(range(first, last + 1), bits & 0x0F)
                )
    return not any(
        bits for coefficients in missing.values() for bits in coefficients.values()
    )


def _plain(data: bytes, frame: Frame) -> bytes:
    """The file without what libjpeg-turbo remarks on though it does not matter to the pixels.

    That is: a broken colour profile, bytes between segments, versions and colour transforms that are not defined (which
    count as the usual ones), and the parameters of progressive scans where scans are sequential.
    """
    parts = [data[:2]]
    coded = 0  # where the coded data before a segment begins
    for segment in _segments(data):
        if coded:
            parts.append(data[coded : segment.start])
        coded = segment.end if segment.kind == _START_OF_SCAN else 0
        body = data[segment.body : segment.end]
        if segment.kind == _APP0 and body.startswith(b"JFIF\0"):
            body = body[:5] + b"\1" + body[6:]
        elif segment.kind == _APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            usual = 2 if len(frame.sampling) == 4 else 1
            body = body[:11] + bytes([body[11] and usual]) + body[12:]
        elif _APP0 <= segment.kind <= _APP15 or segment.kind == _COMMENT:
            continue
        elif segment.kind == _START_OF_SCAN and frame.process in _SEQUENTIAL:
            body = body[:-3] + bytes([0, 63, 0])
        parts.append(data[segment.start : segment.body] + body)
    if coded:
        parts.append(data[coded:])
    return b"".join(parts)
