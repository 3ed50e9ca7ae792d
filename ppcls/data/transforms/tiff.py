"""What the values of a TIFF mean (TIFF 6.0), where Pillow reads them otherwise or does not say why it refuses them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from ppcls.data.transforms.base import UnreadableImage, expect_readable
from ppcls.data.transforms.exif import stated_orientation
from ppcls.data.transforms.jpeg import decode_whole
from ppcls.data.transforms.jpeg_markers import count_scans, jpeg_frame
from ppcls.data.transforms.tiff_tags import (
    BIG,
    Tag,
    by_number,
    numbers,
    tags,
)

_WIDTH, _HEIGHT = 256, 257
_ORIENTATION, _XMP_TAG = 274, 700
_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES = 258, 259, 262, 277
_MOST, _PLANAR, _FORMAT, _SUBSAMPLING = 281, 284, 339, 530
_DEFAULTS: dict[int, tuple[float, ...]] = {
    _BITS: (1,),
    _COMPRESSION: (1,),
    _PHOTOMETRIC: (0,),
    _SAMPLES: (1,),
    _MOST: (0,),
    _PLANAR: (1,),
    _FORMAT: (1,),
    _SUBSAMPLING: (2, 2),
}
_COLOURS = {
    0: "grey",
    1: "grey",
    2: "RGB",
    3: "palette",
    4: "mask",
    5: "CMYK",
    6: "YCbCr",
    8: "LAB",
}
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _YCBCR = 0, 1, 6
# Where they begin, and their bytes
_STRIPS, _TILES, _JPEG_TABLES = (273, 279), (324, 325), 347
_UNCOMPRESSED, _JPEG = 1, 7
_END_OF_JPEG = b"\xff\xd9"
_SEPARATE = 2
_USUAL_BITS = frozenset((1, 2, 4, 8, 16))
_FORMATS = {2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}
# Bytes of the values of a directory for each of the file's, and of any file's
_VALUES_PER_BYTE, _FEW_VALUES = 2, 1 << 16
# Pixels of all strips or tiles for each of the picture's: those at the edges reach beyond it
_STRIP_PIXELS, _FEW_PIXELS = 4, 1 << 22
_RANGE = "whose range is not defined; save it with unsigned values of 8 or 16 bits"


@dataclass(frozen=True)
class Tiff:
    """How the values of the first page are stored.

    Attributes:
        bits: Bits of each value of a pixel.
        used_bits: Bits of the largest value that the file allows; fewer than `bits` where it says so.
        white_is_zero: Whether grey values count from white to black.
        is_planar: Whether each channel is stored as a whole, uncompressed.
        is_jpeg: Whether each strip or tile is a JPEG.
        description: The kind in words.
        photometric: Where the file states whether white or black is zero; None if it does not.
    """

    bits: tuple[int, ...]
    used_bits: int
    white_is_zero: bool
    is_planar: bool
    is_jpeg: bool
    description: str
    photometric: Tag | None

    @property
    def is_deep_grey(self) -> bool:
        """Whether it has one value of more than 8 bits per pixel."""
        return len(self.bits) == 1 and self.bits[0] > 8


def read_tiff(data: bytes) -> Tiff:
    """Read from the first directory how the values are stored.

    Raises:
        UnreadableImage: Their kind is not read; says what it is, and how to save the picture.
    """
    expect_readable(
        data[:4] != BIG[1],
        "it is a big-endian BigTIFF; save it as little-endian, or as plain TIFF",
    )
    listed = list(tags(data))
    _check_directory(data, listed)
    found = by_number(listed)
    expect_readable(
        _WIDTH in found and _HEIGHT in found,
        "the file is truncated or damaged: it states no size",
    )
    samples = _values(data, found, _SAMPLES)[0]
    bits = _values(data, found, _BITS)
    if len(bits) == 1:
        bits *= max(1, min(samples, 16))
    photometric = _values(data, found, _PHOTOMETRIC)[0]
    compression = _values(data, found, _COMPRESSION)[0]
    is_uncompressed = compression == _UNCOMPRESSED
    _check_kind(bits, _values(data, found, _FORMAT))
    if photometric == _YCBCR and is_uncompressed:
        _check_subsampling(_values(data, found, _SUBSAMPLING))
    used_bits = _used_bits(bits, _values(data, found, _MOST))
    if used_bits < max(bits) and len(bits) > 1:
        raise UnreadableImage(
            f"its values use {used_bits} of {max(bits)} bits; save it with values of 8 bits"
        )
    is_separate = _values(data, found, _PLANAR)[0] == _SEPARATE
    return Tiff(
        bits=bits,
        used_bits=used_bits,
        white_is_zero=photometric == _WHITE_IS_ZERO and _PHOTOMETRIC in found,
        is_planar=is_separate and is_uncompressed,
        is_jpeg=compression == _JPEG,
        description=_description(photometric, samples, bits, compression),
        photometric=found.get(_PHOTOMETRIC),
    )


def _check_subsampling(subsampling: tuple[int, ...]) -> None:
    expect_readable(
        subsampling == (1, 1),
        "it is an uncompressed YCbCr TIFF with subsampled chroma; save it as RGB",
    )


def _values(data: bytes, found: dict[int, Tag], number: int) -> tuple[int, ...]:
    """A tag's values; those of the standard where the file states none."""
    stated = numbers(data, found[number]) if number in found else []
    return tuple(map(int, stated or _DEFAULTS[number]))


def _description(
    photometric: int, samples: int, bits: tuple[int, ...], compression: int
) -> str:
    """The kind of TIFF in words."""
    colour = _COLOURS.get(photometric, f"photometric interpretation {photometric}")
    each = _sum(bits)
    if samples > 4 and len(set(bits)) == 1:
        each = f"{samples} x {bits[0]}"
    return f"{colour}, {each} bits per pixel, compression {compression}"


def _sum(bits: tuple[int, ...]) -> str:
    return " + ".join(map(str, bits))


def _check_directory(data: bytes, listed: list[Tag]) -> None:
    """Refuse a directory whose tags share their values; Pillow copies the values of each tag."""
    size = sum(tag.size for tag in listed)
    expect_readable(
        size <= _VALUES_PER_BYTE * len(data) + _FEW_VALUES,
        f"its directory states {size:,} bytes of values, but the file has {len(data):,}",
    )


def _used_bits(bits: tuple[int, ...], most: tuple[int, ...]) -> int:
    """How many bits of the values are used.

    Cameras of 10, 12 or 14 bits write values of 16, and state the largest, which is all ones. Any other number is the
    largest value that the picture happens to have, and says nothing about the range.
    """
    stated = max(most)
    used = stated.bit_length()
    is_all_ones = stated == 2**used - 1
    if max(bits) == 16 and used > 8 and is_all_ones:
        return used
    return max(bits)


def _check_kind(bits: tuple[int, ...], formats: tuple[int, ...]) -> None:
    """Refuse values that have no defined range, and unusual numbers of bits."""
    for number in formats:
        if number in _FORMATS:
            raise UnreadableImage(
                f"its values are {bits[0]}-bit {_FORMATS[number]} numbers, {_RANGE}"
            )
    most = max(bits)
    expect_readable(most <= 16, f"its values have {most} bits, {_RANGE}")
    if bits != (12,) and not _USUAL_BITS.issuperset(bits):
        raise UnreadableImage(
            f"its values have {_sum(bits)} bits; save it with values of 8 or 16 bits"
        )


def open_tiff(data: bytes, opener: Callable[[io.BytesIO], ImageFile]) -> ImageFile:
    """Open a file by Pillow's plugin.

    Raises:
        UnreadableImage: The plugin refuses the kind, which the message names.
    """
    tiff = read_tiff(data)
    reason = (
        f"TIFF files of this kind are not read, or it is damaged ({tiff.description}); "
        "save it as 8-bit RGB or grey"
    )
    with _failing(lambda error: reason):
        file = opener(io.BytesIO(_for_pillow(data, tiff)))
    if tiff.is_planar and max(tiff.bits) == 16:
        file.tile = [_of_16_bits(tile, data) for tile in file.tile]
    return file


@contextlib.contextmanager
def _failing(reason: Callable[[Exception], str]) -> Iterator[None]:
    """Raise an UnreadableImage with a reason for every error of Pillow's plugin but that memory is short."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise UnreadableImage(reason(error)) from error


def _of_16_bits(tile: Any, data: bytes) -> Any:
    """A channel of a planar picture, of whose values Pillow would take every byte for one."""
    codec, extents, offset, (mode, *rest) = tile
    if len(mode) != 1:
        return tile
    order = "L" if data.startswith(b"II") else "B"
    changed = (codec, extents, offset, (f"{mode};16{order}", *rest))
    # Older Pillow has plain tuples
    if hasattr(tile, "_fields"):
        return type(tile)(*changed)
    return changed


def loaded_tiff(file: ImageFile, data: bytes) -> Image.Image | np.ndarray:
    """Decode the picture.

    Returns:
        An array uint8 [H, W] where it is grey of more than 8 bits; else the image.
    """
    tiff = read_tiff(data)
    if tiff.is_jpeg:
        _check_jpegs(data)
    with _failing(lambda error: f"{error} (TIFF: {tiff.description})"):
        file.load()
    if not tiff.is_deep_grey:
        return file
    values = np.minimum(np.asarray(file), 2**tiff.used_bits - 1)
    grey = (values >> (tiff.used_bits - 8)).astype(np.uint8)
    if tiff.white_is_zero:
        return 255 - grey
    return grey


def _check_jpegs(data: bytes) -> None:
    """Decode the JPEGs of strips or tiles strictly: libtiff fills up what is missing in them.

    Raises:
        JpegError: Coded data is damaged or missing.
        UnreadableImage: They hold far more pixels than the picture.
    """
    found = by_number(tags(data))
    places, lengths = _TILES if _TILES[0] in found else _STRIPS
    if places not in found or lengths not in found:
        return
    tables = _shared_tables(data, found)
    width = int(numbers(data, found[_WIDTH])[0])
    height = int(numbers(data, found[_HEIGHT])[0])
    left = _STRIP_PIXELS * width * height + _FEW_PIXELS
    for part in _parts(data, found[places], found[lengths]):
        if tables:
            part = tables + part[2:]  # without the marker that begins a JPEG
        part += _END_OF_JPEG
        frame = jpeg_frame(part)
        if frame is None:
            continue
        scans = 1 if frame.runs_from_the_top else count_scans(part)
        left -= frame.width * frame.height * scans
        expect_readable(left >= 0, "its strips or tiles hold more than the picture")
        decode_whole(part, frame, to_rgb=True)


def _shared_tables(data: bytes, found: dict[int, Tag]) -> bytes:
    """The tables that all strips or tiles share, which are the beginning of a JPEG; empty if there are none."""
    tag = found.get(_JPEG_TABLES)
    if tag is None:
        return b""
    tables = data[tag.at : tag.at + tag.length]
    if tables.endswith(_END_OF_JPEG):  # `removesuffix` is missing in Python 3.8
        return tables[: -len(_END_OF_JPEG)]
    return tables


def _parts(data: bytes, places: Tag, lengths: Tag) -> Iterator[bytes]:
    """Yield the strips or tiles as they are stored."""
    begins = numbers(data, places, places.length)
    sizes = numbers(data, lengths, lengths.length)
    for begin, size in zip(begins, sizes):
        yield data[int(begin) : int(begin + size)]


def remaining_orientation(file: ImageFile, data: bytes) -> int:
    """Read the orientation that Pillow has not applied: that of the tag it applies while it decodes the picture."""
    xmp = b""
    for tag in tags(data):
        if tag.number == _ORIENTATION:
            return 1
        if tag.number == _XMP_TAG:
            xmp = data[tag.at : tag.at + tag.length]
    # Pillow of before 10 does not look into it
    return stated_orientation({"xmp": xmp, **file.info})


def _for_pillow(data: bytes, tiff: Tiff) -> bytes:
    """The file as Pillow takes it: grey of more than 8 bits counts from black, and is turned round afterwards."""
    tag = tiff.photometric
    if tag is None or not tiff.is_deep_grey or not tiff.white_is_zero:
        return data
    order: Literal["little", "big"] = "little" if data.startswith(b"II") else "big"
    value = _BLACK_IS_ZERO.to_bytes(tag.value_bytes, order)
    return data[: tag.at] + value + data[tag.at + tag.value_bytes :]
