"""Small copies of pictures for a page."""

from __future__ import annotations

import cv2
import numpy as np

_QUALITY = 80


def thumbnail(pixels: np.ndarray, longest: int = 160) -> bytes:
    """Return a small JPEG of a picture.

    Args:
        pixels: uint8 of shape [H, W, 3] in RGB, or [H, W] in grey.
        longest: Pixels of the longer side; a smaller picture keeps its size.
    """
    height, width = pixels.shape[:2]
    scale = longest / max(height, width)
    if scale < 1:
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return encoded.tobytes()
