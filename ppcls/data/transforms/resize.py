"""Resizing to a size, or until the shorter side has a length."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ppcls.data.transforms.base import (
    TRANSFORMS,
    Transform,
    WidthHeight,
    checked_size,
    pair,
    set_field,
)
from ppcls.data.transforms.crop import CentralCrop
from ppcls.data.transforms.resample import check_interpolation, resample, resample_part
from ppcls.data.transforms.unreadable import UnreadableImage
from ppcls.utils.fields import PositiveInt, Size, require

LARGEST = 2**24
"""Pixels of the largest picture that a smaller one is resized to."""

# Up to which all of it is resized; a side is 64 times the other where the shorter one has 256
_WHOLE = 2**22


@TRANSFORMS.register()
@dataclass(frozen=True)
class ResizeImage(Transform):
    """Resizes to `size`, or keeps the aspect and gives the shorter side `resize_short` pixels.

    With `resize_short` both sides are multiplied by `resize_short / min(width, height)` and rounded to the nearest
    integer, halves to even, as PaddleClas does (torchvision rounds the longer side down).

    Args:
        resize_short: pixels of the shorter side.
        size: one number for both sides, or [width, height].
        interpolation: with cv2 nearest, bilinear, area, bicubic or lanczos; with pil nearest, bilinear, bicubic, box,
            hamming or lanczos. Bilinear in both where PaddleClas, left without a word, takes bicubic for pil.
        backend: cv2 or pil. Pillow smooths when it shrinks, OpenCV (except for area) does not.
    """

    resize_short: PositiveInt | None = None
    size: Size | None = None
    interpolation: str = "bilinear"
    backend: Literal["cv2", "pil"] = "cv2"

    bytes_remedy = "write it before, or backend: cv2"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_interpolation(self.interpolation, self.backend)
        require(
            (self.resize_short is None) != (self.size is None),
            "exactly one of resize_short and size is needed; write resize_short: 256 or size: 224",
        )
        if self.size is not None:
            set_field(self, "size", checked_size(self.size))

    @property
    def needs_bytes(self) -> bool:
        """Pillow resizes pictures of uint8 only."""
        return self.backend == "pil"

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The resized picture.

        Raises:
            UnreadableImage: it would be out of proportion, as a line of 1x8000 pixels is.
        """
        height, width = image.shape[:2]
        target = self._target(width, height)
        if target[0] * target[1] > max(LARGEST, width * height):
            raise UnreadableImage(
                f"of {width}x{height} pixels ResizeImage would make {target[0]}x{target[1]}; crop the picture to less "
                "unequal sides"
            )
        return resample(image, *target, self.interpolation, self.backend)

    def cropped(self, image: np.ndarray, crop: CentralCrop) -> np.ndarray:
        """`crop(self(image))`, where possible without the rest of a large result."""
        width, height = self._target(image.shape[1], image.shape[0])
        if width * height > _WHOLE:
            part = resample_part(
                image,
                width,
                height,
                self.interpolation,
                self.backend,
                crop.box(width, height),
            )
            if part is not None:
                return part
        return crop(self(image))

    def _target(self, width: int, height: int) -> WidthHeight:
        if self.resize_short is None:
            assert self.size is not None
            return pair(self.size)
        factor = self.resize_short / min(width, height)
        return round(width * factor), round(height * factor)

    def output_size(self, size: WidthHeight | None) -> WidthHeight | None:
        """Known if `size` is a field, or if the input's size is known."""
        if self.size is not None:
            return pair(self.size)
        return None if size is None else self._target(*size)
