"""Resizing by OpenCV or Pillow. The two differ by more than noise, so the backend belongs to the weights."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from ppcls.data.transforms.base import one_of

INTERPOLATIONS: dict[str, dict[str, int]] = {
    "cv2": {
        "nearest": cv2.INTER_NEAREST,
        "bilinear": cv2.INTER_LINEAR,
        "area": cv2.INTER_AREA,
        "bicubic": cv2.INTER_CUBIC,
        "lanczos": cv2.INTER_LANCZOS4,
    },
    "pil": {
        "nearest": Image.Resampling.NEAREST,
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
        "box": Image.Resampling.BOX,
        "hamming": Image.Resampling.HAMMING,
        "lanczos": Image.Resampling.LANCZOS,
    },
}


def check_interpolation(interpolation: str, backend: str) -> None:
    """Raises a ValueError that names the choices unless `backend` knows `interpolation`."""
    one_of("backend", backend, tuple(INTERPOLATIONS))
    if interpolation not in INTERPOLATIONS[backend]:
        known = ", ".join(INTERPOLATIONS[backend])
        raise ValueError(
            f"interpolation is {interpolation!r}; with backend {backend} write one of: {known}"
        )


def resample(
    image: np.ndarray, width: int, height: int, interpolation: str, backend: str
) -> np.ndarray:
    """The picture [H, W, C] of one or three channels at another size. Pillow takes uint8 only."""
    method = INTERPOLATIONS[backend][interpolation]
    if backend == "cv2":
        resized = _by_opencv(image, width, height, method)
    else:
        picture = Image.fromarray(image[..., 0] if image.shape[2:] == (1,) else image)
        resized = np.asarray(picture.resize((width, height), Image.Resampling(method)))
    # Both leave out the axis of a single channel
    return resized.reshape(height, width, *image.shape[2:])


def _by_opencv(image: np.ndarray, width: int, height: int, method: int) -> np.ndarray:
    try:
        return cv2.resize(image, (width, height), interpolation=method)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from error
        raise
