"""Bytes of a picture file to pixels."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from ppcls.data.transforms.base import (
    TRANSFORMS,
    Box,
    Transform,
    UnreadableImage,
    cut,
    expect_readable,
)
from ppcls.data.transforms.exif import stated_orientation, upright
from ppcls.data.transforms.header import (
    MOST_SCANS,
    SMALL,
    Header,
    open_picture,
    read_header,
)
from ppcls.data.transforms.jpeg import decode_part, decode_whole
from ppcls.data.transforms.jpeg_markers import (
    Frame,
    end_of_image,
    end_of_scan,
    jpeg_frame,
    jpeg_refusal,
)
from ppcls.data.transforms.normalize import to_gray
from ppcls.data.transforms.tiff import loaded_tiff, remaining_orientation
from ppcls.utils.fields import PositiveInt, require

_COLOR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_READ_AHEAD = 8  # bytes that libjpeg-turbo wants to see behind those that it needs
# Alpha of a palette, or premultiplied, has to be resolved before it is dropped
_WITH_ALPHA = {"P": "RGBA", "PA": "RGBA", "LA": "RGBA", "RGBa": "RGBA", "La": "LA"}
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")


@TRANSFORMS.register()
@dataclass(frozen=True)
class DecodeImage(Transform):
    """Bytes of a file to uint8 [H, W, 3], or [H, W, 1].

    The same rules for every file and backend:

    - The orientation that Exif or XMP states is applied, as Pillow's `exif_transpose` does; a damaged block counts as
      none.
    - Gray is repeated to three channels, a palette is looked up, of several frames the first is taken.
    - Alpha is dropped: a transparent pixel keeps the colour that the file states for it.
    - 16-bit values keep their high byte, 12-bit ones their high 8 bits. Values that are signed, floating-point or of
      more bits have no defined range and are refused.
    - CMYK is converted to RGB by Pillow's formula; in a JPEG it is taken as inverted, as Adobe writes it.
    - A file that is truncated, or a JPEG whose coded data is damaged, is unreadable; it is never filled up.

    Args:
        to_rgb: channel order of the result, RGB or OpenCV's BGR.
        channel_first: False; `ToCHWImage` transposes.
        backend: what decodes JPEG files whose chroma is sampled in a way that simplejpeg does not know, `cv2` or
            `pil`. All others are decoded by simplejpeg, to the pixels that both of these give; every other format is
            read by Pillow.
        max_pixels: the most pixels that a picture may have. None takes what decodes within 320 MiB of memory, and more,
            up to 178,956,970, where the file has at least a byte for every 16 of them, as photos do.
        max_scans: the most scans that a JPEG may have.
        channels: 3 for colours, or 1 for gray, to which colours are converted; see `to_gray`.
    """

    to_rgb: bool = True
    channel_first: bool = False
    backend: Literal["cv2", "pil"] = "cv2"
    max_pixels: PositiveInt | None = None
    max_scans: PositiveInt = MOST_SCANS
    channels: Literal[1, 3] = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            not self.channel_first,
            "channel_first: True is not supported; leave it out and end the transforms with ToCHWImage",
        )

    @property
    def color(self) -> str:
        """Channel order of the result, `RGB` or `BGR`; `GRAY` for one channel."""
        if self.channels == 1:
            return "GRAY"
        return "RGB" if self.to_rgb else "BGR"

    def __call__(
        self, image: bytes | np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Decodes bytes; an array uint8 [H, W, 3], in the channel order of `to_rgb`, counts as decoded.

        Raises:
            UnreadableImage: the bytes hold no picture, or only part of one.
            ValueError: an array of another type or shape.
        """
        if isinstance(image, np.ndarray):
            return self._in_channels(_checked(image))
        return self.whole(image, self.admit(bytes(image)).frame)

    def admit(self, data: bytes) -> Header:
        """Reads the header of a file, without which nothing is decoded.

        Raises:
            UnreadableImage: its format is not read, its header is damaged, or it exceeds a bound.
        """
        with _damage_is_unreadable():
            return read_header(data, self.max_pixels, self.max_scans)

    def part(
        self,
        image: bytes | np.ndarray,
        choose: Callable[[int, int], Box],
        frame: Frame | None = None,
    ) -> np.ndarray:
        """The part that `choose` picks by (width, height): the same pixels as cut out of the whole picture.

        Where it can, it leaves what lies below or around the part undecoded, and then does not notice damage there.
        Raises what decoding the whole raises. Bytes have been admitted before, which gave their `frame`.
        """
        if frame is None and isinstance(image, bytes):
            frame = jpeg_frame(image)
        if frame is None or _orientation(frame) != 1:
            whole = self.whole(image, frame)
            return cut(whole, choose(whole.shape[1], whole.shape[0]))
        box = choose(frame.width, frame.height)
        part = decode_part(bytes(image), frame, box, self.to_rgb)
        if part is None:
            return cut(self.whole(image, frame), box)
        return self._in_channels(part)

    def _in_channels(self, pixels: np.ndarray) -> np.ndarray:
        """Decoded pixels [H, W, 3] as [H, W, channels]."""
        if self.channels == 3:
            return pixels
        return to_gray(pixels, self.to_rgb)

    def whole(
        self, image: bytes | np.ndarray, frame: Frame | None = None
    ) -> np.ndarray:
        """What calling it gives, of bytes that have been admitted, which gave their `frame`."""
        if isinstance(image, np.ndarray):
            return self._in_channels(_checked(image))
        with _damage_is_unreadable():
            return self._in_channels(self._decode(bytes(image), frame))

    def _decode(self, data: bytes, frame: Frame | None) -> np.ndarray:
        """Pixels uint8 [H, W, 3], upright."""
        frame = frame or jpeg_frame(data)
        if frame is not None:
            pixels = decode_whole(data, frame, self.to_rgb)
            if pixels is not None:
                return np.ascontiguousarray(upright(pixels, _orientation(frame)))
        if data.startswith(b"\xff\xd8"):
            _refuse_jpeg(data, frame)
        with open_picture(data) as file:
            if frame is None:
                pixels = self._by_pillow(file, data)
            else:
                pixels = self._unusual_jpeg(file, data, frame)
            if file.format == "TIFF":
                orientation = remaining_orientation(file, data)
            else:
                orientation = stated_orientation(file.info)
        return np.ascontiguousarray(upright(pixels, orientation))

    def _unusual_jpeg(self, file: ImageFile, data: bytes, frame: Frame) -> np.ndarray:
        """The stored pixels of a JPEG that simplejpeg does not decode."""
        if end_of_image(data) is None:
            raise UnreadableImage("the file is truncated")
        pixels = _by_opencv(data, frame)  # Pillow would not notice missing data
        is_converted_alike = file.mode in ("RGB", "L")
        if self.backend == "pil" or not is_converted_alike:
            return self._by_pillow(file, data)
        if self.to_rgb:
            return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        return pixels

    def _by_pillow(self, file: ImageFile, data: bytes) -> np.ndarray:
        rgb = _rgb(file, data)
        if self.to_rgb:
            return rgb
        return rgb[..., ::-1]


def _orientation(frame: Frame) -> int:
    return stated_orientation({"exif": frame.exif, "xmp": frame.xmp})


def _refuse_jpeg(data: bytes, frame: Frame | None) -> None:
    """Refuse a JPEG of a kind that is not read, or without a frame: OpenCV would write what it finds to stderr."""
    refusal = jpeg_refusal(data)
    if refusal is not None:
        raise UnreadableImage(refusal)
    if frame is None:
        raise UnreadableImage("the file is truncated or damaged before its coded data")


def _by_opencv(data: bytes, frame: Frame) -> np.ndarray:
    """A JPEG as uint8 [H, W, 3] in BGR, or what is wrong with it.

    Where OpenCV reaches a marker too early it fills up; where it reaches the end of the data it fails. So it gets no
    marker behind the coded data, but what it reads ahead.
    """
    content = data
    if frame.runs_from_the_top:
        content = data[: end_of_scan(data, frame.scan_at)] + bytes(_READ_AHEAD)
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), _COLOR)
    if pixels is None:
        raise UnreadableImage("its coded data is damaged or incomplete")
    return pixels


def pixels_of(image: Image.Image) -> np.ndarray:
    """Pixels uint8 [H, W, 3] in RGB of an image that Pillow has opened or made, upright, by the rules of `DecodeImage`.

    The values are those that Pillow has, also if the file states something else.

    Raises:
        UnreadableImage: The image cannot be loaded, or its values have no defined range.
    """
    stated = {key: value for key, value in image.info.items() if isinstance(key, str)}
    with _damage_is_unreadable():
        return np.ascontiguousarray(
            upright(_converted(_loaded(image)), stated_orientation(stated))
        )


def _rgb(file: ImageFile, data: bytes) -> np.ndarray:
    """Pixels uint8 [H, W, 3] in RGB, by Pillow."""
    if file.format == "TIFF":
        return _converted(loaded_tiff(file, data))
    if file.format == "JPEG2000" and file.mode not in _SIXTEEN_BITS:
        bits = _jpeg2000_bits(data)
        # Pillow rounds such values up without a bound, and so makes white black.
        expect_readable(
            bits <= 8,
            f"it is a JPEG 2000 of {bits} bits per value; save it with 8 bits",
        )
    return _converted(_loaded(file))


def _loaded(image: Image.Image) -> Image.Image | np.ndarray:
    """The image itself; or uint8 [H, W], the high bytes of its values, where they have 16 bits."""
    image.load()
    # Older Pillow has the mode I for 16 bits too
    is_old_mode = image.mode == "I" and image.format in ("PNG", "PPM")
    if image.mode in _SIXTEEN_BITS or is_old_mode:
        return (np.asarray(image) >> 8).astype(np.uint8)
    return image


def _converted(image: Image.Image | np.ndarray) -> np.ndarray:
    """Pixels uint8 [H, W, 3] in RGB of a loaded image, or of gray values uint8 [H, W]."""
    if isinstance(image, np.ndarray):
        return np.repeat(image[..., None], 3, axis=2)
    expect_readable(
        image.mode not in ("I", "F"),
        "its values have 32 bits, whose range is not defined; save it with 8 or 16 bits",
    )
    if image.mode in ("1", "L"):
        # Half the memory of Pillow's RGB
        return np.repeat(np.asarray(image.convert("L"))[..., None], 3, axis=2)
    if image.mode in _WITH_ALPHA:
        image = image.convert(_WITH_ALPHA[image.mode])
    if image.mode != "RGB":
        image = image.convert("RGB")
    return np.asarray(image)


def _jpeg2000_bits(data: bytes) -> int:
    """Bits of the values of the first component (ITU-T T.800, A.5.1)."""
    place = data.find(b"\xff\x4f\xff\x51")
    if place < 0 or place + 42 >= len(data):
        return 8
    return data[place + 42] % 128 + 1


def _checked(array: np.ndarray) -> np.ndarray:
    has_pixels = array.ndim == 3 and array.shape[2] == 3 and 0 not in array.shape
    require(
        array.dtype == np.uint8 and has_pixels,
        f"the array is {array.dtype} {list(array.shape)}; give uint8 [height, width, 3]",
    )
    return array


@contextlib.contextmanager
def _damage_is_unreadable() -> Iterator[None]:
    """Makes an UnreadableImage of what decoders raise on damaged data (OSError, SyntaxError, struct.error, ...)."""
    try:
        yield
    except (UnreadableImage, MemoryError):
        raise
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from error
        # Its text names places in its code
        raise UnreadableImage(f"OpenCV cannot decode it ({error.err})") from error
    except Exception as error:
        raise UnreadableImage(_reason(error)) from error


def _reason(error: Exception) -> str:
    """Why a decoder failed, in one line."""
    reason = " ".join(str(error).split()) or type(error).__name__
    origin = error.__cause__ or error
    if isinstance(origin, (OSError, SyntaxError, ValueError)):
        return reason
    return f"the file is damaged ({reason})"  # the text is about the decoder's code


# Bytes of a picture that is not read as quickly as it is read sparingly
_LARGE = 32 * 2**20
_MMAP_THRESHOLD = -3  # of mallopt, from glibc's malloc.h
_BLOCK = 8 * 2**20  # Pillow holds a picture in blocks of 16 MiB


@functools.cache
def _free_at_once() -> None:
    """Make glibc give large blocks back when they are freed; by itself it keeps those of the sizes freed before."""
    # Other C libraries lack it
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_MMAP_THRESHOLD, _BLOCK)


class MemoryBudget:
    """A budget of memory, of which each thread takes what its picture needs; it waits until that much is free.

    Args:
        capacity: Bytes. A picture that needs more takes all of the budget.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.reset()

    def reset(self) -> None:
        """Free the whole budget. For a forked process, in which the threads that took a part of it do not run."""
        self._changed = threading.Condition()
        self._free = self.capacity

    @contextlib.contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Take `size` bytes, or the whole budget if that is less, while entered."""
        size = min(size, self.capacity)
        if size >= _LARGE:
            _free_at_once()
        with self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()


PICTURE_MEMORY = MemoryBudget(SMALL)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PICTURE_MEMORY.reset)
