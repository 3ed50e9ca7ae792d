from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.pictures import encoded, noise, numbered, smooth
from ppcls.data.transforms.exif import exif_orientation, stated_orientation, upright
from ppcls.data.transforms.jpeg_markers import end_of_image


def exif_block(order: str, tag: int = 0x0112, kind: int = 3, value: int = 6) -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entries = struct.pack(order + "HHII", 0x010F, 2, 4, 0) + struct.pack(order + "HHIHH", tag, kind, 1, value, 0)
    return b"Exif\0\0" + mark + struct.pack(order + "IH", 8, 2) + entries + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_read_in_both_byte_orders(order: str) -> None:
    assert exif_orientation(exif_block(order)) == 6
    assert exif_orientation(exif_block(order)[6:]) == 6
    assert exif_orientation(b"Exif\0\0" + exif_block(order)) == 6
    assert exif_orientation(exif_block(order, tag=0x0113)) is None
    assert exif_orientation(exif_block(order, kind=99)) is None
    assert exif_orientation(exif_block(order, value=9)) == exif_orientation(exif_block(order, value=0)) == 1


@given(st.binary(max_size=64), st.integers(0, 60))
def test_any_exif_block_gives_an_orientation_or_none(tail: bytes, cut: int) -> None:
    for order in "<>":
        assert exif_orientation(exif_block(order)[:cut] + tail) in (None, *range(1, 9))
    assert exif_orientation(tail) in (None, *range(1, 9))
    assert 1 <= stated_orientation({"exif": tail, "xmp": tail}) <= 8


def test_a_cut_block_gives_its_orientation_or_none() -> None:
    block = exif_block("<")
    found = [exif_orientation(block[:length]) for length in range(len(block) + 1)]
    whole = len(block) - 4  # without the offset of the next directory
    assert found == [None] * whole + [6] * 5


@pytest.mark.parametrize(
    ("orientation", "rows"),
    [
        (1, ["ab", "cd", "ef"]), (2, ["ba", "dc", "fe"]), (3, ["fe", "dc", "ba"]), (4, ["ef", "cd", "ab"]),
        (5, ["ace", "bdf"]), (6, ["eca", "fdb"]), (7, ["fdb", "eca"]), (8, ["bdf", "ace"]),
    ],
)  # fmt: skip
def test_upright(orientation: int, rows: list[str]) -> None:
    stored = np.array([list("ab"), list("cd"), list("ef")])[..., None]
    assert ["".join(row) for row in upright(stored, orientation)[..., 0]] == rows


def jpeg_is_complete(data: bytes) -> bool:
    return end_of_image(data) is not None


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"comment": b"\xff\xd9"}])
def test_every_cut_of_a_jpeg_is_noticed(options: dict) -> None:
    data = encoded(noise(24, 24), "JPEG", **options)
    assert jpeg_is_complete(data)
    assert [length for length in range(len(data)) if jpeg_is_complete(data[:length])] == []


def test_what_follows_the_end_does_not_matter() -> None:
    data = encoded(smooth(8, 8), "JPEG")
    assert jpeg_is_complete(data + b"\0\0")
    assert jpeg_is_complete(data + b"ftyp\xff\xda\xff\xe1\xff\xff film")


def test_the_end_of_a_thumbnail_is_not_the_end() -> None:
    thumbnail = encoded(numbered(4, 4), "JPEG")
    data = encoded(noise(24, 24), "JPEG", exif=b"Exif\0\0" + thumbnail)
    assert thumbnail in data
    assert jpeg_is_complete(data) and not jpeg_is_complete(data[:-2])


def test_fill_bytes_before_a_marker_are_legal() -> None:
    data = encoded(smooth(8, 8), "JPEG")
    assert jpeg_is_complete(data[:-2] + b"\xff\xff\xff\xd9")
    assert Image.open(io.BytesIO(data)).size == (8, 8)
