"""The header of a picture file, and whether the file is decoded at all.

A file names its size in a few bytes, and an empty picture of any size is a small file. So the size is compared with the
size of the file before anything is decoded. Only the formats of `ppcls.data.picture_files` are opened, each by its
own plugin: other decoders of Pillow start programs (EPS) or open other files.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import importlib
import io
import logging
import re
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PIL
from PIL import ImageFile

from ppcls.data.picture_files import (
    AVIF,
    BMP,
    GIF,
    HEAD_BYTES,
    HEIF,
    JPEG,
    JPEG2000,
    PNG,
    PPM,
    TIFF,
    WEBP,
    PictureFormat,
    picture_format,
    why_unread,
)
from ppcls.data.transforms.base import UnreadableImage, expect_readable
from ppcls.data.transforms.jpeg_markers import (
    Frame,
    count_scans,
    jpeg_frame,
    jpeg_size,
)
from ppcls.data.transforms.tiff import open_tiff

SMALL = 320 * 2**20
"""Bytes of memory that any picture may take while it is decoded, however small its file."""

MOST_PIXELS = 178_956_970
"""Pixels of the largest picture that is decoded unless more are allowed: the bound of Pillow's own `Image.open`."""

# Of a photo's file, at least; saved as JPEG with quality 75 it has about 4
_PIXELS_PER_BYTE = 16
MOST_SCANS = 100
"""Scans of a progressive JPEG unless more are allowed. Encoders write about 10; each costs as much as a decoding."""

# Pixels times scans of a progressive JPEG, however small its file; a second of processor time
_SCANNED = 1_500_000_000
_SCANS_PER_PIXEL = 10

# A comment of a text PPM, wherever it stands
_PPM_TEXT, _PPM_COMMENT = (b"P1", b"P2", b"P3"), re.compile(rb"#[^\r\n]*[\r\n]?")

# Of a JPEG 2000 file; OpenJPEG sets 6 kB aside for each before it reads any
_MOST_TILES = 4096


_TILE_WIDTH, _TILE_HEIGHT = 322, 323  # tags of a TIFF

# What opens a format, and how many bytes its decoder takes for a pixel besides the picture itself.
_PLUGINS: dict[PictureFormat, tuple[str, str, int]] = {
    JPEG: ("PIL.JpegImagePlugin", "JpegImageFile", 0),
    PNG: ("PIL.PngImagePlugin", "PngImageFile", 0),
    GIF: ("PIL.GifImagePlugin", "GifImageFile", 0),
    BMP: ("PIL.BmpImagePlugin", "BmpImageFile", 0),
    TIFF: ("PIL.TiffImagePlugin", "TiffImageFile", 4),
    WEBP: ("PIL.WebPImagePlugin", "WebPImageFile", 9),
    PPM: ("PIL.PpmImagePlugin", "PpmImageFile", 0),
    JPEG2000: ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile", 12),
    AVIF: ("PIL.AvifImagePlugin", "AvifImageFile", 8),
    HEIF: ("pillow_heif", "HeifImageFile", 10),
}
# Bytes of a pixel in the pictures that decoding holds at the same time, measured with an orientation that is turned, by
# Pillow's modes. Pillow holds 1 byte for gray and 4 for colour, the arrays have 3.
_MODE_BYTES = {
    "1": 8,
    "L": 8,
    "I": 8,
    "I;16": 8,
    "RGB": 10,
    "P": 15,
    "PA": 18,
    "LA": 18,
    "La": 18,
    "RGBa": 18,
}
_OTHER_MODE_BYTES = 14  # RGBA, CMYK, YCbCr, LAB
# Less than colours: a strip, which may be the whole picture
_TIFF_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2}
# By components; a progressive JPEG holds its coefficients too
_JPEG_BYTES = {1: 10, 3: 12}
_OTHER_JPEG_BYTES = 20  # CMYK

# Of JPEG 2000: its beginning, and the segment that states its size
_CODESTREAM = b"\xff\x4f\xff\x51"


def quiet_plugins() -> None:
    """Suppress the warnings of Pillow's plugins about metadata, which changes no pixel; they name site-packages.

    What the plugins log goes where a program sends its log, and nowhere if it sends it nowhere, instead of to stderr.
    """
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    warnings.filterwarnings(
        "ignore", category=UserWarning, module=r"PIL\.\w+ImagePlugin"
    )


quiet_plugins()


@functools.cache
def quiet_libtiff() -> None:
    """Suppress the lines of the libtiff that Pillow decodes with; Pillow raises an error all the same."""
    package = Path(PIL.__file__).parent
    # Of Linux and macOS
    bundled = [
        *package.parent.glob("[Pp]illow.libs/libtiff*"),
        *package.glob(".dylibs/libtiff*"),
    ]
    name = str(bundled[0]) if bundled else ctypes.util.find_library("tiff")
    if name is None:
        return
    library = ctypes.CDLL(name)
    for handler in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        set_handler = getattr(library, handler)
        set_handler.restype = ctypes.c_void_p
        set_handler.argtypes = [ctypes.c_void_p]
        set_handler(None)


@dataclass(frozen=True)
class Header:
    """What is known of a picture before it is decoded.

    Attributes:
        width: Pixels across, as stored.
        height: Pixels down, as stored.
        memory: Bytes that decoding it takes, at most.
        frame: What the markers of a JPEG tell; None for other formats, and for what only Pillow may be able to read.
    """

    width: int
    height: int
    memory: int
    frame: Frame | None = None


def read_header(
    data: bytes, max_pixels: int | None = None, max_scans: int = MOST_SCANS
) -> Header:
    """Reads the header of a picture file, and checks that it can be decoded in a sensible amount of memory and time.

    Args:
        data: The file.
        max_pixels: The most pixels it may have; None for as many as its size makes plausible.
        max_scans: The most scans a JPEG may have.

    Raises:
        UnreadableImage: The format is not read, or a bound is exceeded; the sentence names the key that changes it.
    """
    known = _known_format(data)
    frame = None
    if known is JPEG:
        frame = jpeg_frame(data)
        size = jpeg_size(data) if frame is None else frame.size
        if size is None:
            raise UnreadableImage("the file is truncated or damaged: it states no size")
        width, height, components = size
        pixels = width * height
        bytes_per_pixel = _JPEG_BYTES.get(components, _OTHER_JPEG_BYTES)
        # Otherwise decoders take no second scan
        if frame is None or not frame.runs_from_the_top:
            _check_scans(data, pixels, max_scans, max_pixels)
    else:
        with open_picture(data) as file:
            width, height = file.size
            pixels = max(width * height, _largest_tile(file))
            decoder = _PLUGINS[known][2]
            if known is TIFF:
                decoder = _TIFF_BYTES.get(file.mode, decoder)
            bytes_per_pixel = _MODE_BYTES.get(file.mode, _OTHER_MODE_BYTES) + decoder
        if known is JPEG2000:
            pixels = max(pixels, _codestream_pixels(data))
    _check_pixels(f"{width}x{height}", pixels, len(data), bytes_per_pixel, max_pixels)
    return Header(width, height, pixels * bytes_per_pixel, frame)


def open_picture(data: bytes) -> ImageFile.ImageFile:
    """Opens a file by the one plugin of Pillow that reads its format.

    `Image.open` with `formats` would do so too, but it warns of large pictures, and refuses larger ones, by a variable
    that belongs to the whole process.

    Raises:
        UnreadableImage: The format is not read.
        Exception: Whatever the plugin raises on damaged data.
    """
    known = _known_format(data)
    module, name, _ = _PLUGINS[known]
    opener: Any = getattr(importlib.import_module(module), name)
    if known is TIFF:
        quiet_libtiff()
        return open_tiff(data, opener)
    if data.startswith(_PPM_TEXT):
        data = _PPM_COMMENT.sub(b"", data)  # Pillow copies a block for each of them
    return opener(io.BytesIO(data))


def _known_format(data: bytes) -> PictureFormat:
    expect_readable(data, "the file is empty")
    head = data[:HEAD_BYTES]
    reason = why_unread(head)
    if reason is not None:
        raise UnreadableImage(reason)
    known = picture_format(head)
    if known is None:
        raise UnreadableImage("no known picture format")
    return known


def _check_pixels(
    size: str,
    pixels: int,
    file_bytes: int,
    bytes_per_pixel: int,
    max_pixels: int | None,
) -> None:
    if max_pixels is not None:
        allowed = max_pixels
        bound = f"max_pixels of DecodeImage allows {max_pixels:,}"
    else:
        allowed = min(
            MOST_PIXELS, max(SMALL // bytes_per_pixel, _PIXELS_PER_BYTE * file_bytes)
        )
        bound = f"a file of {file_bytes:,} bytes may have {allowed:,}"
    expect_readable(
        pixels <= allowed,
        f"it has {size} pixels ({pixels:,}), but {bound}; reduce the picture, or write max_pixels: {pixels} in "
        "DecodeImage (a bundle's stands in its inference.yml)",
    )


def _check_scans(
    data: bytes, pixels: int, max_scans: int, max_pixels: int | None
) -> None:
    scans = count_scans(data)
    expect_readable(
        scans <= max_scans,
        f"it is a JPEG of {scans:,} scans, but max_scans of DecodeImage allows {max_scans}; save it again, or "
        f"write max_scans: {scans} in DecodeImage (a bundle's stands in its inference.yml)",
    )
    # Each scan goes over all pixels, whatever little it holds
    allowed = max(_SCANNED, _SCANS_PER_PIXEL * _PIXELS_PER_BYTE * len(data))
    if max_pixels is None and pixels * scans > allowed:
        raise UnreadableImage(
            f"it is a JPEG of {pixels:,} pixels in {scans} scans, which takes too long for a file of {len(data):,} "
            f"bytes; save it again, or write max_pixels: {pixels} in DecodeImage (a bundle's stands in its "
            "inference.yml)"
        )


def _largest_tile(file: ImageFile.ImageFile) -> int:
    """Pixels of a tile of a TIFF, which is decoded as a whole even where the picture is smaller; 0 without tiles."""
    tags = getattr(file, "tag_v2", None)
    if tags is None:
        return 0
    width, height = tags.get(_TILE_WIDTH, 0), tags.get(_TILE_HEIGHT, 0)
    if isinstance(width, int) and isinstance(height, int):
        return width * height
    return 0  # the file is damaged


def _codestream_pixels(data: bytes) -> int:
    """Pixels of the largest codestream in a JPEG 2000 file, which the box around it may understate."""
    largest = 0
    place = data.find(_CODESTREAM)
    while place >= 0:
        if place + 42 <= len(data):
            largest = max(largest, _pixels_of_codestream(data, place))
        place = data.find(_CODESTREAM, place + 1)
    return largest


def _pixels_of_codestream(data: bytes, place: int) -> int:
    """Pixels of the codestream that begins at `place` (ITU-T T.800, A.5.1); refuses one of too many tiles."""
    sides = struct.unpack_from(">8I", data, place + 8)
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top = sides
    columns = -(-max(right - tile_left, 0) // max(tile_width, 1))
    rows = -(-max(bottom - tile_top, 0) // max(tile_height, 1))
    expect_readable(
        columns * rows <= _MOST_TILES,
        f"it is cut into {columns * rows:,} tiles; save it with larger ones, or as JPEG",
    )
    return (right - left) * (bottom - top)
