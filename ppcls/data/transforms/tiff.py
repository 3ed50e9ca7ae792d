"""What the values of a TIFF mean (TIFF 6.0), where Pillow reads them otherwise or does not say why it refuses them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from ppcls.data.transforms.exif import stated_orientation
from ppcls.data.transforms.jpeg import count_scans, decode_whole, jpeg_frame
from ppcls.data.transforms.tiff_tags import BIG, Tag, numbers, tags
from ppcls.data.transforms.unreadable import UnreadableImage

_WIDTH, _HEIGHT = 256, 257
_ORIENTATION, _XMP = 274, 700
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
    """Reads what the first directory says of the values.

    Raises:
        UnreadableImage: Their kind is not read; says what it is, and how to save the picture.
    """
    if data[:4] == BIG[1]:
        raise UnreadableImage(
            "it is a big-endian BigTIFF; save it as little-endian, or as plain TIFF"
        )
    listed = list(tags(data))
    _check_directory(data, listed)
    found = {tag.number: tag for tag in reversed(listed)}
    if _WIDTH not in found or _HEIGHT not in found:
        raise UnreadableImage("the file is truncated or damaged: it states no size")
    values = {
        number: tuple(numbers(data, found[number]))
        for number in _DEFAULTS
        if number in found
    }

    def value(number: int) -> tuple[int, ...]:
        return tuple(int(one) for one in values.get(number) or _DEFAULTS[number])

    samples = value(_SAMPLES)[0]
    bits = value(_BITS)
    if len(bits) == 1:
        bits *= max(1, min(samples, 16))
    photometric, compression = value(_PHOTOMETRIC)[0], value(_COMPRESSION)[0]
    _check(bits, value(_FORMAT))
    if (
        photometric == _YCBCR
        and compression == _UNCOMPRESSED
        and value(_SUBSAMPLING) != (1, 1)
    ):
        raise UnreadableImage(
            "it is an uncompressed YCbCr TIFF with subsampled chroma; save it as RGB"
        )
    colour = _COLOURS.get(photometric, f"photometric interpretation {photometric}")
    each = " + ".join(map(str, bits))
    if samples > 4 and len(set(bits)) == 1:
        each = f"{samples} x {bits[0]}"
    used_bits = _used_bits(bits, value(_MOST))
    if used_bits < max(bits) and len(bits) > 1:
        raise UnreadableImage(
            f"its values use {used_bits} of {max(bits)} bits; save it with values of 8 bits"
        )
    return Tiff(
        bits,
        used_bits,
        photometric == _WHITE_IS_ZERO and _PHOTOMETRIC in found,
        value(_PLANAR)[0] == _SEPARATE and compression == _UNCOMPRESSED,
        compression == _JPEG,
        f"{colour}, {each} bits per pixel, compression {compression}",
        found.get(_PHOTOMETRIC),
    )


def _check_directory(data: bytes, listed: list[Tag]) -> None:
    """Refuse a directory whose tags share their values; Pillow copies the values of each tag."""
    size = sum(tag.value_bytes * tag.length for tag in listed)
    if size > _VALUES_PER_BYTE * len(data) + _FEW_VALUES:
        raise UnreadableImage(
            f"its directory states {size:,} bytes of values, but the file has {len(data):,}"
        )


def _used_bits(bits: tuple[int, ...], most: tuple[int, ...]) -> int:
    """Cameras of 10, 12 or 14 bits write values of 16, and state the largest, which is all ones.

    Any other number is the largest value that the picture happens to have, and says nothing of the range.
    """
    stated = max(most)
    used = stated.bit_length()
    return used if max(bits) == 16 and used > 8 and stated == 2**used - 1 else max(bits)


def _check(bits: tuple[int, ...], formats: tuple[int, ...]) -> None:
    for number in formats:
        if number in _FORMATS:
            raise UnreadableImage(
                f"its values are {bits[0]}-bit {_FORMATS[number]} numbers, {_RANGE}"
            )
    most = max(bits)
    if most > 16:
        raise UnreadableImage(f"its values have {most} bits, {_RANGE}")
    if not all(one in (1, 2, 4, 8, 16) for one in bits) and bits != (12,):
        raise UnreadableImage(
            f"its values have {' + '.join(map(str, bits))} bits; save it with values of 8 or 16 bits"
        )


def open_tiff(data: bytes, opener: Callable[[io.BytesIO], ImageFile]) -> ImageFile:
    """Opens a file by Pillow's plugin; raises an UnreadableImage that names the kind which the plugin refuses."""
    tiff = read_tiff(data)
    try:
        file = opener(io.BytesIO(_for_pillow(data, tiff)))
    except MemoryError:
        raise
    except Exception as error:
        raise UnreadableImage(
            f"TIFF files of this kind are not read, or it is damaged ({tiff.description}); save it as 8-bit RGB or grey"
        ) from error
    if tiff.is_planar and max(tiff.bits) == 16:
        file.tile = [_of_16_bits(tile, data) for tile in file.tile]
    return file


def _of_16_bits(tile: Any, data: bytes) -> Any:
    """A channel of a planar picture, of whose values Pillow would take every byte for one."""
    codec, extents, offset, (mode, *rest) = tile
    if len(mode) != 1:
        return tile
    changed = (
        codec,
        extents,
        offset,
        (f"{mode};16{'L' if data.startswith(b'II') else 'B'}", *rest),
    )
    return type(tile)(*changed) if hasattr(tile, "_fields") else changed


def by_pillow(file: ImageFile, data: bytes) -> Image.Image | np.ndarray:
    """The decoded picture; an array uint8 [H, W] where its values have more than 8 bits."""
    tiff = read_tiff(data)
    if tiff.is_jpeg:
        _check_jpegs(data)
    try:
        file.load()
    except MemoryError:
        raise
    except Exception as error:
        raise UnreadableImage(f"{error} (TIFF: {tiff.description})") from error
    if not tiff.is_deep_grey:
        return file
    values = np.minimum(np.asarray(file), 2**tiff.used_bits - 1)
    grey = (values >> (tiff.used_bits - 8)).astype(np.uint8)
    return 255 - grey if tiff.white_is_zero else grey


def _check_jpegs(data: bytes) -> None:
    """Decodes the JPEGs of strips or tiles strictly: libtiff fills up what is missing in them.

    Raises:
        JpegError: Coded data is damaged or missing.
    """
    found = {tag.number: tag for tag in reversed(list(tags(data)))}
    begins, lengths = _TILES if _TILES[0] in found else _STRIPS
    if begins not in found or lengths not in found:
        return
    shared = found.get(_JPEG_TABLES)  # by all of them; a JPEG itself, without a picture
    head = (
        b""
        if shared is None
        else data[shared.at : shared.at + shared.length].removesuffix(_END_OF_JPEG)
    )
    width, height = (int(numbers(data, found[side])[0]) for side in (_WIDTH, _HEIGHT))
    left = _STRIP_PIXELS * width * height + _FEW_PIXELS
    sizes = numbers(data, found[lengths], found[lengths].length)
    for begin, size in zip(numbers(data, found[begins], found[begins].length), sizes):
        part = data[int(begin) : int(begin + size)]
        part = head + part[2 if head else 0 :] + _END_OF_JPEG
        frame = jpeg_frame(part)
        if frame is None:
            continue
        scans = 1 if frame.runs_from_the_top else count_scans(part)
        left -= frame.width * frame.height * scans
        if left < 0:
            raise UnreadableImage("its strips or tiles hold more than the picture")
        decode_whole(part, frame, to_rgb=True)


def remaining_orientation(file: ImageFile, data: bytes) -> int:
    """The orientation that Pillow has not applied while it decoded the picture: of the tag it always has."""
    found = {
        tag.number: tag for tag in tags(data) if tag.number in (_ORIENTATION, _XMP)
    }
    if _ORIENTATION in found:
        return 1
    info = dict(file.info)
    if _XMP in found and "xmp" not in info:  # Pillow of before 10 does not look into it
        info["xmp"] = data[found[_XMP].at : found[_XMP].at + found[_XMP].length]
    return stated_orientation(info)


def _for_pillow(data: bytes, tiff: Tiff) -> bytes:
    """The file as Pillow takes it: grey of more than 8 bits counts from black, and is turned round afterwards."""
    if not tiff.is_deep_grey or not tiff.white_is_zero or tiff.photometric is None:
        return data
    at, end = tiff.photometric.at, tiff.photometric.at + tiff.photometric.value_bytes
    order: Literal["little", "big"] = "little" if data.startswith(b"II") else "big"
    return data[:at] + _BLACK_IS_ZERO.to_bytes(end - at, order) + data[end:]
