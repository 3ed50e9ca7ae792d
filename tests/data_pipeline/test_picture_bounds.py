"""Which files are decoded at all, and how large they may be."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.messages import says
from helpers.pictures import encoded, noise, smooth
from ppcls.data.picture_files import AVIF, FORMATS, HEAD_BYTES, HEIF, SUFFIXES, picture_format, why_unread
from ppcls.data.transforms import DecodeImage, UnreadableImage
from ppcls.data.transforms.header import _PLUGINS, MOST_PIXELS, read_header

WRITTEN = {"PNG": ".apng", "GIF": ".gif", "BMP": ".dib", "TIFF": ".tiff", "WEBP": ".webp", "PPM": ".pnm",
           "JPEG2000": ".jp2", "AVIF": ".avif", "JPEG": ".jpe", "MPO": ".mpo"}  # fmt: skip


if not AVIF.is_read:
    del WRITTEN["AVIF"]  # of a Pillow before 11.3


def png(width: int, height: int, content: bytes = b"") -> bytes:
    """A PNG that states a size, whatever it holds."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def jpeg_of_scans(count: int, size: int = 16) -> bytes:
    """A progressive JPEG with one of its scans repeated."""
    data = encoded(smooth(size, size)[..., 0], "JPEG", progressive=True)
    starts = [place for place in range(len(data)) if data[place : place + 2] == b"\xff\xda"]
    scan = data[starts[1] : starts[2]]
    return data[:-2] + scan * (count - len(starts)) + b"\xff\xd9"


def jpeg_of_size(width: int, height: int) -> bytes:
    data = bytearray(encoded(smooth(16, 16), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def refusal(data: bytes, **keys: int) -> str:
    with pytest.raises(UnreadableImage) as caught:
        DecodeImage(**keys)(data)
    return caught.value.reason


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_format_is_known_by_its_first_bytes_and_read(kind: str) -> None:
    picture = smooth(16, 12)
    lossless = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}
    data = encoded(picture, kind, **lossless.get(kind, {}))
    known = picture_format(data[:HEAD_BYTES])
    assert known is not None and WRITTEN[kind] in known.suffixes and known.is_read
    assert np.abs(DecodeImage()(data).astype(int) - picture).max() <= (8 if kind in ("JPEG", "MPO", "AVIF") else 0)
    header = read_header(data)
    assert (header.width, header.height) == (16, 12) and header.memory >= 16 * 12 * 3


def test_every_format_has_a_plugin_and_suffixes_of_its_own() -> None:
    assert set(_PLUGINS) == set(FORMATS)
    assert len(SUFFIXES) == len(set(SUFFIXES)) == sum(len(known.suffixes) for known in FORMATS)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n", "PostScript is not read"),
        (b"\xc5\xd0\xd3\xc6" + bytes(60), "PostScript is not read"),
        (b"%PDF-1.7\n", "PDF is not read"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG is not read"),
        (b"\xd7\xcd\xc6\x9a" + bytes(60), "WMF is not read"),
        (b"\0\0\1\0\1\0" + bytes(60), "icon is not read"),
        (b"\x89HDF\r\n\x1a\n" + bytes(60), "no known picture format"),
        (b"GRIB" + bytes(60), "no known picture format"),
        (b"SIMPLE  =                    T" + bytes(60), "no known picture format"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1024), "no known picture format"),
        (b"RIFF\x24\0\0\0AVI LIST" + bytes(60), "a video; save its frames"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(60), "a video; save its frames"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "run `git lfs pull`"),
        (b"\0\0\2" + bytes(9) + b"\2\0\2\0\x18\0" + bytes(12), "no known picture format"),  # Targa, not an icon
        (b"icns\0\0\0\x08" + bytes(60), "the format icon is not read"),
    ],
)
def test_other_formats_are_not_opened(data: bytes, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program is started")

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("Pillow looks for a plugin")

    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr(Image, "open", opened)
    for backend in ("cv2", "pil"):
        with pytest.raises(UnreadableImage, match=says):
            DecodeImage(backend=backend)(data)


def test_a_format_whose_module_is_missing_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    head = b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(40)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    assert picture_format(head) is HEIF
    assert why_unread(head) == says("it is HEIC; ... run `pip install pillow-heif`, or convert it to JPEG")


@given(st.binary(max_size=HEAD_BYTES))
def test_any_first_bytes_are_of_a_format_or_refused_in_a_sentence(head: bytes) -> None:
    known, reason = picture_format(head), why_unread(head)
    assert (reason is None) == (known is not None and known.is_read)
    assert reason is None or reason.strip()


@pytest.mark.parametrize("backend", ["cv2", "pil"])
def test_a_small_file_of_a_large_picture_is_refused_before_it_is_decoded(backend: str) -> None:
    for data in (png(60_000, 60_000), jpeg_of_size(60_000, 60_000)):
        with pytest.raises(UnreadableImage) as caught:
            DecodeImage(backend=backend)(data)
        reason = caught.value.reason
        assert "60000x60000 pixels (3,600,000,000)" in reason and "max_pixels: 3600000000" in reason
        assert f"a file of {len(data):,} bytes" in reason


def test_a_large_file_may_have_as_many_pixels_as_a_photo_of_its_size() -> None:
    assert "a file of" in refusal(png(10_000, 10_000))
    assert read_header(png(10_000, 10_000, bytes(7_000_000))).width == 10_000
    too_many = png(20_000, 10_000, bytes(13_000_000))
    assert f"may have {MOST_PIXELS:,}" in refusal(too_many)


def test_a_page_that_was_scanned_with_600_dots_per_inch_is_no_bomb() -> None:
    page = Image.new("1", (4960, 7016), 1)
    for kind, options in (("TIFF", {"compression": "group4"}), ("PNG", {})):
        buffer = io.BytesIO()
        page.save(buffer, kind, **options)
        assert len(buffer.getvalue()) < 20_000
        assert read_header(buffer.getvalue()).width == 4960


def test_max_pixels_is_the_bound_where_it_is_given() -> None:
    data = encoded(noise(20, 10))
    assert DecodeImage(max_pixels=200)(data).shape == (10, 20, 3)
    assert "20x10 pixels (200), but max_pixels of DecodeImage allows 199;" in refusal(data, max_pixels=199)
    jpeg = encoded(noise(20, 10), "JPEG")
    assert DecodeImage(max_pixels=200)(jpeg).shape == (10, 20, 3)
    assert "allows 199" in refusal(jpeg, max_pixels=199)
    assert "allows 199" in refusal(encoded(noise(20, 10), "TIFF"), max_pixels=199)
    assert read_header(png(60_000, 60_000), max_pixels=3_600_000_000).width == 60_000


def test_a_picture_just_within_pillows_bound_raises_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    assert read_header(png(10_000, 9_000, bytes(6_000_000))).height == 9_000
    assert not recwarn.list


def test_a_tile_larger_than_its_picture_counts() -> None:
    tags = [(256, 4, 1, 16), (257, 4, 1, 16), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1),
            (322, 4, 1, 60_000), (323, 4, 1, 60_000), (324, 4, 1, 8), (325, 4, 1, 4)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    data = struct.pack("<2sHI", b"II", 42, 16) + bytes(8) + struct.pack("<H", len(tags)) + entries + bytes(4)
    assert "max_pixels: 3600000000" in refusal(data)


def test_a_codestream_larger_than_its_box_says_counts() -> None:
    data = encoded(smooth(16, 16), "JPEG2000")
    place = data.index(b"\xff\x4f\xff\x51") + 8
    larger = data[:place] + struct.pack(">II", 60_000, 60_000) + data[place + 8 :]
    assert "pixels (3,600,000,000)" in refusal(larger) or "tiles" in refusal(larger)
    tiles = data[:place] + struct.pack(">6I", 5_000, 5_000, 0, 0, 8, 8) + data[place + 24 :]
    assert "cut into 390,625 tiles" in refusal(tiles)


@pytest.mark.parametrize("backend", ["cv2", "pil"])
def test_a_jpeg_of_more_scans_than_encoders_write_is_refused(backend: str) -> None:
    assert DecodeImage(backend=backend)(encoded(smooth(16, 16), "JPEG", progressive=True)).shape == (16, 16, 3)
    with pytest.raises(
        UnreadableImage, match=r"3,000 scans, but max_scans of DecodeImage allows 100;.*max_scans: 3000"
    ):
        DecodeImage(backend=backend)(jpeg_of_scans(3000))
    with pytest.raises(UnreadableImage, match="101 scans"):
        DecodeImage(backend=backend)(jpeg_of_scans(101))
    assert read_header(jpeg_of_scans(100)).width == 16
    assert "7 scans, but max_scans of DecodeImage allows 6" in refusal(jpeg_of_scans(7), max_scans=6)
    assert read_header(jpeg_of_scans(3000), max_scans=3000).width == 16


def test_only_scans_of_the_picture_itself_count() -> None:
    data = encoded(smooth(16, 16), "JPEG", comment=b"\xff\xda" * 200)
    assert DecodeImage()(data).shape == (16, 16, 3)
    assert DecodeImage()(encoded(smooth(16, 16), "JPEG") + b"\xff\xda\0\x02" * 200).shape == (16, 16, 3)
