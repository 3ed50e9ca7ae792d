"""What Pillow's `exif_transpose` turns is turned, wherever a file states it; the reference is Pillow itself."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from data_pictures import NEW_PILLOW, behind_jfif, segment
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from helpers.pictures import encoded, smooth
from ppcls.data.transforms import DecodeImage
from ppcls.data.transforms.exif import exif_orientation, stated_orientation

PICTURE = smooth(24, 16)
JPEG = encoded(PICTURE, "JPEG", quality=100, subsampling=0)
PNG = encoded(PICTURE)


def field(order: str, kind: int, value: int) -> tuple[int, bytes]:
    """The value of a tag of a type, and how many of it there are."""
    layouts = {3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 13: "I", 5: "II", 10: "ii", 12: "d", 16: "Q"}
    numbers = (value, 1) if kind in (5, 10) else (value,)
    return 1, struct.pack(order + layouts[kind], *numbers)


def block(value: int, order: str = "<", kind: int = 3, more: bytes = b"") -> bytes:
    """An Exif block with the maker's name and the orientation; `more` are values behind the first."""
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    count, content = field(order, kind, value)
    if more:
        count, content = 2, content + more
    behind = b""
    if len(content) > 4:
        content, behind = struct.pack(order + "I", 8 + 2 + 24 + 4), content
    maker = struct.pack(order + "HHI", 0x010F, 2, 4) + b"abc\0"
    entry = struct.pack(order + "HHI", 0x0112, kind, count) + content.ljust(4, b"\0")
    return mark + struct.pack(order + "IH", 8, 2) + maker + entry + bytes(4) + behind


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(inserted: bytes, last: bool = False) -> bytes:
    """The PNG with a chunk behind its header, or before its end."""
    place = len(PNG) - 12 if last else 33
    return PNG[:place] + inserted + PNG[place:]


def as_text(exif: bytes) -> bytes:
    """As ImageMagick writes an Exif block into text."""
    digits = exif.hex().encode()
    lines = b"\n".join(digits[start : start + 72] for start in range(0, len(digits), 72))
    return b"\nexif\n%8d\n%s\n" % (len(exif), lines)


def xmp(value: int, attribute: bool = True) -> bytes:
    stated = f' tiff:Orientation="{value}"/>' if attribute else f"><tiff:Orientation>{value}</tiff:Orientation></rdf>"
    return f'<x:xmpmeta xmlns:tiff="http://ns.adobe.com/tiff/1.0/"><rdf{stated}</x:xmpmeta>'.encode()


def tiff(value: int, stated: bytes | None = None) -> bytes:
    return encoded(PICTURE, "TIFF", tiffinfo={274: value} if stated is None else {274: value, 700: stated})


def tiff_with_xmp(value: int) -> bytes:
    return encoded(PICTURE, "TIFF", tiffinfo={700: xmp(value)})


EXIF, XMP, NAME = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"Raw profile type exif\0"
FILES: dict[str, Callable[[int], bytes]] = {
    "JPEG": lambda value: behind_jfif(JPEG, segment(0xE1, EXIF + block(value))),
    "JPEG, big-endian": lambda value: behind_jfif(JPEG, segment(0xE1, EXIF + block(value, ">"))),
    "JPEG, LONG": lambda value: behind_jfif(JPEG, segment(0xE1, EXIF + block(value, kind=4))),
    "JPEG, LONG, big-endian": lambda value: behind_jfif(JPEG, segment(0xE1, EXIF + block(value, ">", kind=4))),
    "JPEG, DOUBLE": lambda value: behind_jfif(JPEG, segment(0xE1, EXIF + block(value, kind=12))),
    "JPEG, two values": lambda value: behind_jfif(JPEG, segment(0xE1, EXIF + block(value, more=b"\1\0"))),
    "JPEG, prefix twice": lambda value: behind_jfif(JPEG, segment(0xE1, EXIF + EXIF + block(value))),
    "JPEG, in two segments": lambda value: behind_jfif(
        JPEG, segment(0xE1, EXIF + block(value)[:20]) + segment(0xE1, EXIF + block(value)[20:])
    ),
    "JPEG, XMP": lambda value: behind_jfif(JPEG, segment(0xE1, XMP + xmp(value))),
    "JPEG, XMP element": lambda value: behind_jfif(JPEG, segment(0xE1, XMP + xmp(value, False))),
    "JPEG, Exif before XMP": lambda value: behind_jfif(
        JPEG, segment(0xE1, XMP + xmp(9 - value)) + segment(0xE1, EXIF + block(value))
    ),
    "JPEG, progressive": lambda value: encoded(PICTURE, "JPEG", exif=EXIF + block(value), progressive=True),
    "JPEG, a second one behind it": lambda value: encoded(PICTURE, "JPEG", exif=EXIF + block(value)) + JPEG,
    "PNG": lambda value: png_with(chunk(b"eXIf", block(value))),
    "PNG, behind the pixels": lambda value: png_with(chunk(b"eXIf", block(value, ">", 4)), last=True),
    "PNG, text": lambda value: png_with(chunk(b"tEXt", NAME + as_text(EXIF + block(value)))),
    "PNG, compressed text": lambda value: png_with(chunk(b"zTXt", NAME + b"\0" + zlib.compress(as_text(block(value))))),
    "PNG, text behind the pixels": lambda value: png_with(chunk(b"tEXt", NAME + as_text(block(value))), last=True),
    "PNG, XMP": lambda value: png_with(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(value))),
    "WebP": lambda value: encoded(PICTURE, "WEBP", lossless=True, exif=block(value)),
    "WebP, LONG": lambda value: encoded(PICTURE, "WEBP", lossless=True, exif=EXIF + block(value, kind=4)),
    "WebP, XMP": lambda value: encoded(PICTURE, "WEBP", lossless=True, xmp=xmp(value)),
    "TIFF": tiff,
    "TIFF, compressed": lambda value: encoded(PICTURE, "TIFF", compression="tiff_lzw", tiffinfo={274: value}),
    "TIFF, XMP": tiff_with_xmp,
    "TIFF, tag before XMP": lambda value: tiff(value, xmp(9 - value)),
}
if NEW_PILLOW:
    FILES["MPO"] = lambda value: encoded(
        PICTURE, "MPO", exif=EXIF + block(value), save_all=True, append_images=[Image.fromarray(PICTURE)]
    )


METHODS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turned_by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(ImageOps.exif_transpose(file).convert("RGB"))


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_container_is_turned_as_pillow_turns_it(orientation: int, kind: str) -> None:
    data = FILES[kind](orientation)
    stored = Image.fromarray(DecodeImage()(FILES[kind](1)))
    expected = np.asarray(stored.transpose(METHODS[orientation]) if orientation > 1 else stored)
    assert expected.shape == ((16, 24, 3) if orientation < 5 else (24, 16, 3))
    assert np.abs(np.asarray(stored).astype(int) - PICTURE).max() <= 10
    if NEW_PILLOW:
        assert np.array_equal(turned_by_pillow(data), expected)
    assert np.array_equal(DecodeImage()(data), expected)
    assert np.array_equal(DecodeImage(backend="pil", to_rgb=False)(data), expected[..., ::-1])


@given(
    st.sampled_from([3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 16]),
    st.integers(0, 100),
    st.sampled_from("<>"),
    st.sampled_from([b"", EXIF, EXIF * 2]),
)
def test_any_number_that_pillow_reads_is_read(kind: int, value: int, order: str, prefix: bytes) -> None:
    content = prefix + block(value, order, kind)
    assert stated_orientation({"exif": content}) == (value if 1 <= value <= 8 else 1)
    if NEW_PILLOW:
        exif = Image.Exif()
        exif.load(content)
        assert exif[0x0112] == value


def test_a_tag_that_says_nothing_hides_xmp_and_a_missing_one_does_not() -> None:
    assert stated_orientation({"exif": block(0), "xmp": xmp(6)}) == 1
    assert stated_orientation({"exif": block(3).replace(b"\x12\1\3", b"\x13\1\3"), "xmp": xmp(6)}) == 6
    assert stated_orientation({"exif": b"Exif\0\0damaged", "xmp": xmp(6)}) == 6
    assert stated_orientation({"xmp": xmp(9)}) == 1
    assert stated_orientation({"Raw profile type exif": "\nexif\n  12\nno digits"}) == 1
    assert stated_orientation({}) == 1


def test_a_fraction_without_denominator_and_an_offset_outside_are_no_orientation() -> None:
    fraction = block(6, kind=5)
    assert exif_orientation(fraction) == 6
    assert exif_orientation(fraction[:-4] + bytes(4)) == 1
    assert exif_orientation(fraction[:-1]) is None
