"""Whether all of a JPEG's coded data was there, as far as the file and the decoder's notice show it.

libjpeg-turbo reports the first thing that it noticed. Most notices mean that coded data is missing; the harmless ones
are recognised here. What it does not notice at all, zeros and missing scans, is looked for here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ppcls.data.transforms.jpeg_markers import (
    APP0,
    APP14,
    APP15,
    COMMENT,
    HUFFMAN_TABLES,
    PROGRESSIVE,
    SEQUENTIAL,
    START_OF_SCAN,
    Frame,
    Segment,
    end_of_image,
    segments,
    unit_size,
)

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
