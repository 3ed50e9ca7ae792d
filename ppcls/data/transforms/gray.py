"""Colour pictures to one channel."""

from __future__ import annotations

import cv2
import numpy as np


def to_gray(pixels: np.ndarray, is_rgb: bool) -> np.ndarray:
    """Luma, uint8 [H, W, 1], of a picture uint8 [H, W, 3] in RGB, or in BGR.

    It is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601) as OpenCV's `cvtColor` computes it, in integers; Pillow's
    `convert("L")` differs by one level at most. A gray picture keeps its values.
    """
    code = cv2.COLOR_RGB2GRAY if is_rgb else cv2.COLOR_BGR2GRAY
    return cv2.cvtColor(np.ascontiguousarray(pixels), code)[..., np.newaxis]
