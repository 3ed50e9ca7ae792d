"""The part of a JPEG that a crop needs, cut out of the coded data.

Restart markers divide a scan into intervals that can be decoded alone (ITU-T T.81, E.1.4). Where each row of blocks is
a whole number of intervals, those that cover a crop make a smaller JPEG with the same pixels. `ppcls pack` writes an
interval for every unit of blocks, and many cameras one for every row.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from ppcls.data.transforms.base import Box
from ppcls.data.transforms.jpeg_markers import (
    END_MARKER,
    END_OF_IMAGE,
    Frame,
    unit_size,
)

# Pixels around the crop that its border depends on: chroma at half the size is interpolated between two samples
_MARGIN = 2


class Blocks(NamedTuple):
    """A smaller JPEG, its frame, and where the crop lies in it."""

    data: bytes
    frame: Frame
    box: Box


def cut_blocks(data: bytes, frame: Frame, box: Box) -> Blocks | None:
    """Cut out the intervals that the crop `box` needs.

    Args:
        data: A file in one scan from top to bottom.
        frame: Its frame.
        box: The crop.

    Returns:
        None where rows of blocks are not divided into whole intervals, an interval is missing, or all are needed.
    """
    unit_width, unit_height = unit_size(frame)
    units = -(-frame.width // unit_width)
    rows = -(-frame.height // unit_height)
    if not frame.restart or units % frame.restart or not data.endswith(END_MARKER):
        return None
    columns = units // frame.restart
    interval_width = unit_width * frame.restart
    across = _span(box[0], box[2], interval_width, frame.width)
    down = _span(box[1], box[3], unit_height, frame.height)
    if len(across) == columns and len(down) == rows:
        return None
    ends = _ends_of_intervals(data, frame, columns * rows)
    if ends is None:
        return None
    left, top = across.start * interval_width, down.start * unit_height
    smaller = frame._replace(
        width=min(across.stop * interval_width, frame.width) - left,
        height=min(down.stop * unit_height, frame.height) - top,
    )
    content = _joined(data, smaller, ends, columns, down, across)
    return Blocks(content, smaller, (box[0] - left, box[1] - top, box[2], box[3]))


def _span(start: int, length: int, unit: int, whole: int) -> range:
    """The intervals that `length` pixels from `start` on depend on."""
    first = max(start - _MARGIN, 0) // unit
    end = min(start + length + _MARGIN, whole)
    return range(first, -(-end // unit))


def _ends_of_intervals(data: bytes, frame: Frame, count: int) -> np.ndarray | None:
    """Where each interval ends, behind its marker, with the start of the first one before them.

    Returns:
        None where there are more or fewer than `count`, or they are numbered wrongly.
    """
    coded = np.frombuffer(data, np.uint8, offset=frame.scan_at)
    places = np.flatnonzero(coded[:-1] == 0xFF) + 1
    kinds = coded[places]
    is_marker = kinds != 0
    wanted = _numbered(count)
    if not np.array_equal(kinds[is_marker], wanted):
        return None
    ends = np.empty(count + 1, np.int64)
    ends[0] = frame.scan_at
    np.add(places[is_marker], frame.scan_at + 1, out=ends[1:])
    return ends


def _numbered(count: int) -> np.ndarray:
    """The second bytes of the markers behind `count` intervals, uint8 [count]."""
    kinds = 0xD0 + (np.arange(count) & 7).astype(np.uint8)
    kinds[-1] = END_OF_IMAGE
    return kinds


def _joined(
    data: bytes,
    frame: Frame,
    ends: np.ndarray,
    columns: int,
    down: range,
    across: range,
) -> bytes:
    """The file of a smaller frame: the intervals in some rows and columns, their markers numbered anew."""
    starts = ends[:-1].reshape(-1, columns)[down.start : down.stop]
    stops = ends[1:].reshape(-1, columns)[down.start : down.stop]
    parts = [data[: frame.scan_at]]
    for start, stop in zip(
        starts[:, across.start].tolist(), stops[:, across.stop - 1].tolist()
    ):
        parts.append(data[start:stop])
    content = bytearray().join(parts)
    struct.pack_into(">HH", content, frame.height_at, frame.height, frame.width)
    sizes = (stops - starts)[:, across.start : across.stop]
    markers = frame.scan_at - 1 + sizes.cumsum()
    np.frombuffer(content, np.uint8)[markers] = _numbered(len(markers))
    return bytes(content)
