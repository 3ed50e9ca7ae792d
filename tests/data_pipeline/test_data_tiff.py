"""The values of a TIFF are read as it says that they are meant, or refused by the name of their kind."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from data_pictures import NEW_PILLOW
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.pictures import encoded, noise, numbered
from ppcls.data.transforms import DecodeImage, UnreadableImage

# Tags: 258 bits, 259 compression, 262 photometric interpretation, 277 values per pixel, 281 largest value,
# 284 planar, 338 extra values, 339 sample format.
WHITE, BLACK, RGB = 0, 1, 2


def tiff(width: int, height: int, strips: list[bytes], order: str = "<", long: bool = False, **tags: object) -> bytes:
    """A TIFF of the strips, with tags by number, `t258=8`. `long` writes all values as 32 bits, not 16."""
    entries: dict[int, tuple[int, ...]] = {256: (width,), 257: (height,), 278: (height,), 259: (1,), 277: (1,)}
    for name, value in tags.items():
        entries[int(name[1:])] = value if isinstance(value, tuple) else (value,)  # type: ignore[assignment]
    data = {"<": b"II*\0", ">": b"MM\0*"}[order] + bytes(4)
    places = []
    for strip in strips:
        places.append(len(data))
        data += strip + b"\0" * (len(strip) % 2)
    entries[273], entries[279] = tuple(places), tuple(map(len, strips))
    directory = b""
    for number, values in sorted(entries.items()):
        kind = 4 if long or number in (273, 279) else 3
        packed = struct.pack(f"{order}{len(values)}{'HI'[kind - 3]}", *values)
        if len(packed) > 4:
            packed, data = struct.pack(order + "I", len(data)), data + packed
        directory += struct.pack(order + "HHI", number, kind, len(values)) + packed.ljust(4, b"\0")
    start = struct.pack(order + "I", len(data))
    return data[:4] + start + data[8:] + struct.pack(order + "H", len(entries)) + directory + bytes(4)


def packed_12(values: list[int]) -> bytes:
    """An even number of values of 12 bits, two in three bytes."""
    pairs = zip(values[::2], values[1::2])
    return b"".join((first << 12 | second).to_bytes(3, "big") for first, second in pairs)


def grey(data: bytes) -> list[int]:
    """The first row of a picture, whose channels are the same."""
    found = DecodeImage()(data)
    assert np.array_equal(found[..., 0], found[..., 1]) and np.array_equal(found[..., 0], found[..., 2])
    return found[0, :, 0].tolist()


def refusal(data: bytes) -> str:
    with pytest.raises(UnreadableImage) as caught:
        DecodeImage()(data)
    return caught.value.reason


@given(st.lists(st.integers(0, 4095), min_size=1, max_size=20), st.booleans(), st.booleans())
def test_12_bits_are_4096_levels(values: list[int], white: bool, deflate: bool) -> None:
    values = values + values  # of even number
    strip = zlib.compress(packed_12(values)) if deflate else packed_12(values)
    data = tiff(len(values), 1, [strip], t258=12, t262=WHITE if white else BLACK, t259=8 if deflate else 1)
    assert grey(data) == [255 - (value >> 4) if white else value >> 4 for value in values]


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_16_bits_of_which_a_file_says_that_it_uses_fewer(bits: int) -> None:
    values = [0, 1, 2 ** (bits - 8), 2 ** (bits - 1), 2**bits - 1]
    strip = struct.pack("<5H", *values)
    assert grey(tiff(5, 1, [strip], t258=16, t262=BLACK, t281=2**bits - 1)) == [0, 0, 1, 128, 255]
    assert grey(tiff(5, 1, [strip], t258=16, t262=WHITE, t281=2**bits - 1)) == [255, 255, 254, 127, 0]
    assert grey(tiff(5, 1, [strip], t258=16, t262=BLACK, t281=2**bits)) == [value >> 8 for value in values]
    colour = tiff(1, 1, [strip[:6]], t258=(16, 16, 16), t262=RGB, t277=3, t281=(2**bits - 1,) * 3)
    assert f"use {bits} of 16 bits" in refusal(colour)


@given(
    st.lists(st.integers(0, 65535), min_size=1, max_size=20),
    st.sampled_from("<>"),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_16_bits_keep_their_high_byte_from_black_or_from_white(
    values: list[int], order: str, white: bool, long: bool, deflate: bool
) -> None:
    strip = struct.pack(f"{order}{len(values)}H", *values)
    tags = {"t258": 16, "t262": WHITE if white else BLACK, "t259": 8 if deflate else 1}
    data = tiff(len(values), 1, [zlib.compress(strip) if deflate else strip], order, long, **tags)
    assert grey(data) == [255 - (value >> 8) if white else value >> 8 for value in values]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("alpha", [0, 1])
def test_channels_one_after_the_other(order: str, bits: int, alpha: int) -> None:
    picture = np.random.default_rng(bits).integers(0, 2**bits, (5, 7, 3 + alpha))
    kind = f"{order}u{bits // 8}"
    strips = [channel.astype(kind).tobytes() for channel in picture.transpose(2, 0, 1)]
    tags: dict = {"t258": (bits,) * (3 + alpha), "t262": RGB, "t277": 3 + alpha, "t284": 2}
    if alpha:
        tags["t338"] = 2
    found = DecodeImage()(tiff(7, 5, strips, order, **tags))
    assert np.array_equal(found, picture[..., :3] >> (bits - 8))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("white", [True, False])
def test_grey_of_up_to_8_bits(order: str, bits: int, white: bool) -> None:
    values = [0, 2**bits - 1, 1, 0] * 2
    strip = int("".join(f"{value:0{bits}b}" for value in values), 2).to_bytes(bits, "big")
    levels = [value * 255 // (2**bits - 1) for value in values]
    found = grey(tiff(8, 1, [strip], order, t258=bits, t262=WHITE if white else BLACK))
    assert found == [255 - level if white else level for level in levels]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ({"t258": 16, "t339": 2}, "16-bit signed numbers"),
        ({"t258": 16, "t339": 2, "t262": WHITE}, "16-bit signed numbers"),
        ({"t258": 8, "t339": 2}, "8-bit signed numbers"),
        ({"t258": 16, "t339": 3}, "16-bit floating-point numbers"),
        ({"t258": 32, "t339": 3}, "32-bit floating-point numbers"),
        ({"t258": 64, "t339": 3}, "64-bit floating-point numbers"),
        ({"t258": (32, 32, 32), "t277": 3, "t262": RGB, "t339": (3, 3, 3)}, "32-bit floating-point numbers"),
        ({"t258": 64, "t339": 6}, "64-bit complex numbers"),
        ({"t258": 32}, "have 32 bits"),
        ({"t258": 10}, "have 10 bits; save it with values of 8 or 16 bits"),
        ({"t258": 14}, "have 14 bits"),
        ({"t258": (5, 6, 5), "t277": 3, "t262": RGB}, "have 5 + 6 + 5 bits"),
        ({"t258": (12, 12, 12), "t277": 3, "t262": RGB}, "have 12 + 12 + 12 bits"),
        ({"t258": (8,) * 5, "t277": 5}, "grey, 5 x 8 bits per pixel, compression 1"),
        ({"t258": (16, 16), "t277": 2, "t338": 2}, "grey, 16 + 16 bits per pixel"),
        ({"t258": 8, "t259": 34712}, "grey, 8 bits per pixel, compression 34712"),
        ({"t258": 8, "t262": 9}, "photometric interpretation 9, 8 bits"),
        ({"t258": (8, 8, 8), "t277": 3, "t262": 6}, "YCbCr"),
    ],
)
def test_other_kinds_are_refused_by_name(order: str, tags: dict, says: str) -> None:
    found = refusal(tiff(4, 4, [bytes(4096)], order, **{"t262": BLACK, **tags}))
    assert says in found and "save it " in found


def test_a_big_endian_bigtiff_is_refused_by_name_and_a_little_endian_one_read() -> None:
    picture = numbered(6, 4)
    values = {256: 6, 257: 4, 258: 8, 259: 1, 262: RGB, 273: 16, 277: 3, 278: 4, 279: picture.size}
    head = b"II+\0" + struct.pack("<HHQ", 8, 0, 16 + picture.size)
    entries = b"".join(struct.pack("<HHQQ", number, 4, 1, value) for number, value in values.items())
    data = head + picture.tobytes() + struct.pack("<Q", len(values)) + entries + bytes(8)
    assert np.array_equal(DecodeImage()(data), picture)
    assert "big-endian BigTIFF" in refusal(b"MM\0+" + data[4:])


def test_of_many_pages_the_first_is_read() -> None:
    pages = [Image.fromarray(noise(12, 9, seed)) for seed in range(3)]
    for mode in ("RGB", "L", "CMYK", "P", "1", "I;16"):
        for compression in (None, "tiff_lzw", "tiff_adobe_deflate"):
            if mode == "I;16":
                written = [Image.fromarray(np.asarray(page.convert("L")).astype(np.uint16) * 257) for page in pages]
            else:
                written = [page.convert(mode) for page in pages]
            alone, all_pages = io.BytesIO(), io.BytesIO()
            written[0].save(alone, "TIFF", compression=compression)
            written[0].save(all_pages, "TIFF", compression=compression, save_all=True, append_images=written[1:])
            found = DecodeImage()(all_pages.getvalue())
            assert np.array_equal(found, DecodeImage()(alone.getvalue())), (mode, compression)
            if mode == "RGB":
                assert np.array_equal(found, noise(12, 9, 0))


def test_premultiplied_alpha_is_divided_out() -> None:
    pixels = bytes([100, 255, 50, 128])
    data = tiff(2, 1, [pixels], t258=(8, 8), t262=BLACK, t277=2, t338=1)
    if NEW_PILLOW:
        assert grey(data) == [100, 99]
    else:
        assert "grey, 8 + 8 bits per pixel" in refusal(data)


def test_a_damaged_directory_is_said() -> None:
    data = encoded(noise(8, 8), "TIFF")
    assert refusal(data[:8] + bytes(8)) == "the file is truncated or damaged: it states no size"
    assert "save it as 8-bit RGB or grey" in refusal(tiff(4, 4, [b""], t258=8, t262=BLACK, t277=200))


@given(st.data())
def test_damaged_files_decode_or_are_unreadable(draw: st.DataObject) -> None:
    content = bytearray(tiff(4, 2, [bytes(range(16))], draw.draw(st.sampled_from("<>")), t258=16, t262=WHITE))
    for _ in range(draw.draw(st.integers(1, 4))):
        content[draw.draw(st.integers(4, len(content) - 1))] = draw.draw(st.integers(0, 255))
    try:
        found = DecodeImage()(bytes(content))
    except UnreadableImage as error:
        assert error.reason
        return
    assert found.dtype == np.uint8 and found.shape[2] == 3


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
@pytest.mark.parametrize("quality", [75, 100])
def test_missing_data_in_the_jpegs_of_a_tiff_makes_it_unreadable(end: bytes, quality: int) -> None:
    """libtiff fills up the strip, and says so only where nobody reads it."""
    pixels = noise(64, 48)
    data = encoded(pixels, "TIFF", compression="jpeg", quality=quality)
    whole = DecodeImage()(data)
    assert np.array_equal(whole, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    last = data.rindex(b"\xff\xda")
    for part in (0.1, 0.5, 0.9):
        place = last + int((data.index(b"\xff\xd9", last) - last) * part)
        damaged = data[:place] + end + bytes(300)[len(end) :] + data[place + 300 :]
        assert len(damaged) >= len(data)
        assert "coded data is damaged" in refusal(damaged)


def test_many_values_per_pixel_are_counted() -> None:
    assert "RGB, 200 x 8 bits per pixel" in refusal(tiff(1, 1, [bytes(200)], t258=(8,) * 200, t262=RGB, t277=200))
