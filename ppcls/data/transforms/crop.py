"""Cutting out the centre."""

from dataclasses import dataclass

import numpy as np

from ppcls.data.transforms.base import (
    TRANSFORMS,
    Box,
    Transform,
    WidthHeight,
    checked_size,
    cut,
    pair,
    set_field,
)
from ppcls.utils.errors import expect
from ppcls.utils.fields import Size


@dataclass(frozen=True)
class CentralCrop(Transform):
    """What `CropImage` and `CenterCrop` share."""

    size: Size = 224

    moves_pixels = True

    def __post_init__(self) -> None:
        super().__post_init__()
        set_field(self, "size", checked_size(self.size))

    def __call__(
        self, image: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """The part of the picture, as a view.

        Raises:
            UserError: the picture is smaller than the part.
        """
        return cut(image, self.box(image.shape[1], image.shape[0]))

    def box(self, width: int, height: int) -> Box:
        """The part of a picture of `width` by `height` pixels; raises what cutting it out raises."""
        crop_width, crop_height = pair(self.size)
        expect(
            width >= crop_width and height >= crop_height,
            f"{type(self).__name__} cannot cut {crop_width}x{crop_height} pixels (width x height) out of a picture "
            f"of {width}x{height}; put ResizeImage with resize_short of at least {max(crop_width, crop_height)} "
            "before it",
        )
        return (
            self._margin(width - crop_width),
            self._margin(height - crop_height),
            crop_width,
            crop_height,
        )

    def _margin(self, spare: int) -> int:
        raise NotImplementedError

    def output_size(self, size: WidthHeight | None) -> WidthHeight | None:
        """Always `size`."""
        return pair(self.size)


@TRANSFORMS.register()
@dataclass(frozen=True)
class CropImage(CentralCrop):
    """Cuts out the centre as PaddleClas does: the left and the top margin are half of what is spare, rounded down.

    Args:
        size: one number for both sides, or [width, height].
    """

    def _margin(self, spare: int) -> int:
        return spare // 2


@TRANSFORMS.register()
@dataclass(frozen=True)
class CenterCrop(CentralCrop):
    """Cuts out the centre as torchvision does: half of what is spare, halves rounded to even.

    It differs from `CropImage` by one pixel where the spare pixels are 3, 7, 11, ...

    Args:
        size: one number for both sides, or [width, height].
    """

    def _margin(self, spare: int) -> int:
        return round(spare / 2)
