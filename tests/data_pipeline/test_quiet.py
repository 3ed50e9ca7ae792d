"""Libraries do not write to stderr about damaged pictures, and do not warn."""

from __future__ import annotations

import struct
import warnings

import pytest

from helpers.new_process import new_python
from helpers.pictures import encoded, smooth
from ppcls.data.transforms import DecodeImage, UnreadableImage
from ppcls.data.transforms.header import quiet_plugins

# A maker's name and a directory of more tags that lie beyond the end of the file.
EXIF = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + struct.pack("<HHIIHHII", 0x010F, 2, 400, 5000, 0x8769, 4, 1, 9999)


@pytest.mark.parametrize("compression", ["tiff_deflate", "tiff_lzw", "jpeg", "group4"])
def test_libtiff_is_silent(compression: str, capfd: pytest.CaptureFixture) -> None:
    pixels = smooth(64, 64)
    if compression == "group4":
        data = bytearray(encoded(pixels[..., 0] > 100, "TIFF", compression=compression))
    else:
        data = bytearray(encoded(pixels, "TIFF", compression=compression))
    damaged = range(12, len(data) - 200, 5) if len(data) > 300 else range(8, 40, 2)
    for place in damaged:
        data[place] ^= 0x5A
    try:
        DecodeImage()(bytes(data))
    except UnreadableImage as error:
        assert error.reason
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("backend", ["cv2", "pil"])
def test_damaged_metadata_is_no_warning(kind: str, backend: str) -> None:
    options: dict = {"dpi": (72, 72)} if kind == "TIFF" else {"exif": EXIF}
    data = encoded(smooth(16, 16), kind, **options)
    if kind == "TIFF":  # a unit of resolution that has two values
        tag = data.index(struct.pack("<HHI", 296, 3, 1))
        data = data[: tag + 4] + struct.pack("<IHH", 2, 2, 2) + data[tag + 12 :]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        quiet_plugins()
        assert DecodeImage(backend=backend)(data).shape == (16, 16, 3)
    assert caught == []


def test_what_pillow_logs_is_not_written_to_stderr() -> None:
    """In a process of its own, for pytest takes the log."""
    data = encoded(smooth(4, 4), "TIFF")
    tag = data.index(struct.pack("<HHI", 277, 3, 1))  # values per pixel
    data = data[: tag + 8] + struct.pack("<I", 200) + data[tag + 12 :]
    code = f"""
from ppcls.data.transforms import DecodeImage, UnreadableImage
try:
    DecodeImage()({data!r})
except UnreadableImage as error:
    print(error.reason)
"""
    ran = new_python("-c", code)
    assert "TIFF" in ran.out
    assert (ran.code, ran.err) == (0, "")
