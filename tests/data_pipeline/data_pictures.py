"""Files of pictures byte by byte, and a generator of prepared numbers."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import PIL
from PIL import Image

from helpers.pictures import encoded

NEW_PILLOW = int(PIL.__version__.partition(".")[0]) >= 12
"""Whether it reads what it does today: version 9.1, which is still supported, reads less of orientation and of TIFF."""


def segment(kind: int, body: bytes) -> bytes:
    """A marker segment of a JPEG."""
    return b"\xff" + bytes([kind]) + (len(body) + 2).to_bytes(2, "big") + body


def behind_jfif(data: bytes, inserted: bytes) -> bytes:
    """The JPEG with bytes behind its first segment."""
    end = 4 + int.from_bytes(data[4:6], "big")
    return data[:end] + inserted + data[end:]


def flat_jpeg(
    sampling: Sequence[int], process: int = 0xC0, bits: int = 8, side: int = 32, coded: bytes | None = None
) -> bytes:
    """A gray JPEG, whatever the sampling bytes of its components.

    Each code table has one word, the bit 0: no change of the first coefficient, or the block's end.
    """
    frame = bytes([bits, 0, side, 0, side, len(sampling)])
    scan = bytes([len(sampling)])
    for number, byte in enumerate(sampling, 1):
        frame += bytes([number, byte, 0])
        scan += bytes([number, 0])
    one_word = bytes([1, *[0] * 15, 0])
    tables = segment(0xDB, bytes([0, *[1] * 64])) + segment(0xC4, b"\0" + one_word + b"\x10" + one_word)
    data = bytes(64) if coded is None else coded
    return b"\xff\xd8" + tables + segment(process, frame) + segment(0xDA, scan + b"\0\x3f\0") + data + b"\xff\xd9"


def png16(pixels: np.ndarray) -> bytes:
    """A PNG of uint16 pixels, gray or RGB."""
    return cv2.imencode(".png", pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., ::-1]))[1].tobytes()


def with_orientation(pixels: np.ndarray, kind: str, orientation: int) -> bytes:
    """A file whose Exif block states the orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    return encoded(pixels, kind, exif=exif, **options)


class Script:
    """A generator that hands out prepared uniform numbers and records what it was asked for."""

    def __init__(self, uniform: Sequence[float], integers: Sequence[int] = ()) -> None:
        self._uniform = list(uniform)
        self._integers = list(integers)
        self.asked: list[tuple[float, ...]] = []

    def uniform(self, low: float, high: float) -> float:
        self.asked.append((low, high))
        return low + (high - low) * self._uniform.pop(0)

    def integers(self, high: int, endpoint: bool) -> int:
        assert endpoint
        self.asked.append((high,))
        return self._integers.pop(0)
