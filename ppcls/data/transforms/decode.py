"""Bytes of a picture file to pixels."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ppcls.data.transforms.base import TRANSFORMS, Box, Transform, cut, one_of
from ppcls.data.transforms.exif import exif_orientation, upright
from ppcls.data.transforms.header import MOST_SCANS, Header, open_picture, read_header
from ppcls.data.transforms.jpeg import Frame, by_opencv, decode_rows, jpeg_frame, jpeg_is_complete
from ppcls.data.transforms.unreadable import UnreadableImage
from ppcls.utils.fields import PositiveInt

_JPEG = ("JPEG", "MPO")  # MPO is what many phones write: a JPEG with a second one behind it
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")


@TRANSFORMS.register()
@dataclass(frozen=True)
class DecodeImage(Transform):
    """Bytes of a file to uint8 [H, W, 3].

    One rule for every file, whichever the backend:

    - Exif orientation is applied; a damaged Exif block counts as none.
    - Gray is repeated to three channels, a palette is looked up, of several frames the first is taken.
    - Alpha is dropped: a transparent pixel keeps the colour that the file states for it.
    - 16-bit values keep their high byte. 32-bit values have no defined range and are refused.
    - CMYK is converted to RGB by Pillow's formula; in a JPEG it is taken as inverted, as Adobe writes it.
    - A truncated file is unreadable; it is never filled up.

    Args:
        to_rgb: channel order of the result, RGB or OpenCV's BGR.
        channel_first: False; `ToCHWImage` transposes.
        backend: what decodes 8-bit RGB and gray JPEG files, `cv2` or `pil`. Everything else is decoded without
            loss or by one codec, and is always read by Pillow.
        max_pixels: the most pixels that a picture may have. None takes what decodes within 320 MiB of memory, and more,
            up to 178,956,970, where the file has at least a byte for every 16 of them, as photos do.
        max_scans: the most scans that a JPEG may have.
    """

    to_rgb: bool = True
    channel_first: bool = False
    backend: str = "cv2"
    max_pixels: PositiveInt | None = None
    max_scans: PositiveInt = MOST_SCANS

    def __post_init__(self) -> None:
        one_of("backend", self.backend, ("cv2", "pil"))
        if self.channel_first:
            raise ValueError(
                "channel_first: True is not supported; leave it out and end the transforms with ToCHWImage"
            )

    def __call__(self, image: bytes | np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Decodes bytes; an array uint8 [H, W, 3], in the channel order of `to_rgb`, passes as it is.

        Raises:
            UnreadableImage: the bytes hold no picture, or only part of one.
            ValueError: an array of another type or shape.
        """
        if isinstance(image, np.ndarray):
            return _checked(image)
        self.admit(bytes(image))
        return self.whole(image)

    def admit(self, data: bytes) -> Header:
        """Reads the header of a file, without which nothing is decoded.

        Raises:
            UnreadableImage: its format is not read, its header is damaged, or it exceeds a bound.
        """
        with _damage_is_unreadable():
            return read_header(data, self.max_pixels, self.max_scans)

    def part(self, image: bytes | np.ndarray, choose: Callable[[int, int], Box]) -> np.ndarray:
        """The part that `choose` picks by (width, height): the same pixels as cut out of the whole picture.

        Where it can, it leaves what lies below the part undecoded. Raises what decoding the whole raises; but of a
        damaged header that OpenCV can do without Pillow is not asked. Bytes have been admitted before.
        """
        frame = self._frame(image)
        if frame is None or exif_orientation(frame.exif) != 1:
            whole = self.whole(image)
            return cut(whole, choose(whole.shape[1], whole.shape[0]))
        box = choose(frame.width, frame.height)
        rows = decode_rows(bytes(image), frame, box[1] + box[3], self.to_rgb)
        return cut(self.whole(image) if rows is None else rows, box)

    def _frame(self, image: bytes | np.ndarray) -> Frame | None:
        """The frame of a JPEG that OpenCV decodes; None for everything else."""
        return jpeg_frame(image) if self.backend == "cv2" and isinstance(image, bytes) else None

    def whole(self, image: bytes | np.ndarray) -> np.ndarray:
        """What calling it gives, of bytes that have been admitted."""
        if isinstance(image, np.ndarray):
            return _checked(image)
        with _damage_is_unreadable():
            return self._decode(bytes(image))

    def _decode(self, data: bytes) -> np.ndarray:
        with open_picture(data) as file:
            is_jpeg = file.format in _JPEG
            if is_jpeg and not jpeg_is_complete(data):
                raise UnreadableImage("the file is truncated")
            if is_jpeg and self.backend == "cv2" and file.mode in ("RGB", "L"):
                decoded = by_opencv(np.frombuffer(data, np.uint8), self.to_rgb)
                if decoded is None:
                    raise UnreadableImage("OpenCV cannot decode it")
                pixels = decoded
            else:
                pixels = _rgb(file) if self.to_rgb else _rgb(file)[..., ::-1]
            orientation = exif_orientation(file.info.get("exif", b""))
        return np.ascontiguousarray(upright(pixels, orientation))


def _rgb(file: Image.Image) -> np.ndarray:
    """Pixels uint8 [H, W, 3] in RGB, by Pillow."""
    file.load()
    if file.mode in _SIXTEEN_BITS or (file.mode == "I" and file.format in ("PNG", "PPM")):  # older Pillow says I
        return np.repeat((np.asarray(file) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if file.mode in ("I", "F"):
        raise UnreadableImage("its values have 32 bits, whose range is not defined; save it with 8 or 16 bits")
    if file.mode in ("P", "PA", "LA", "RGBa"):
        file = file.convert("RGBA")  # a palette's alpha has to be resolved before it is dropped
    return np.asarray(file if file.mode == "RGB" else file.convert("RGB"))


def _checked(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ValueError(f"the array is {array.dtype} {list(array.shape)}; give uint8 [height, width, 3]")
    return array


@contextlib.contextmanager
def _damage_is_unreadable() -> Iterator[None]:
    """Makes an UnreadableImage of what decoders raise on damaged data (OSError, SyntaxError, struct.error, ...)."""
    try:
        yield
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:
        raise UnreadableImage(" ".join(str(error).split()) or type(error).__name__) from error
