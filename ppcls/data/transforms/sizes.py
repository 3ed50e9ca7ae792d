"""Sizes that cannot fit, found in the transforms alone, before a picture is read."""

from __future__ import annotations

from collections.abc import Sequence

from ppcls.data.transforms.base import Transform, WidthHeight, pair
from ppcls.data.transforms.crop import CenterCrop, CropImage
from ppcls.data.transforms.pad import Pad
from ppcls.data.transforms.resize import ResizeImage
from ppcls.utils.fields import FieldError

_SOME = (100, 100)  # a size that is known


def check_crops(ops: Sequence[Transform]) -> None:
    """Refuses a central crop that is larger than every picture that reaches it.

    Raises:
        FieldError: names the crop, the size of the pictures and what to write.
    """
    size: WidthHeight | None = None
    shortest: int | None = None  # the shorter side, where it is known
    for op in ops:
        if isinstance(op, (CropImage, CenterCrop)):
            _check(op, size, shortest)
        size = op.output_size(size)
        if size is not None:
            shortest = min(size)
        elif isinstance(op, ResizeImage):
            shortest = op.resize_short
        elif isinstance(op, Pad) and shortest is not None:
            shortest += 2 * op.padding
        elif op.output_size(_SOME) != _SOME:
            shortest = None


def _check(
    crop: CropImage | CenterCrop, size: WidthHeight | None, shortest: int | None
) -> None:
    width, height = pair(crop.size)
    if size is not None:
        fits = width <= size[0] and height <= size[1]
        pictures = f"of {size[0]}x{size[1]}"
    elif shortest is not None:
        fits = min(width, height) <= shortest
        pictures = f"whose shorter side is {shortest}"
    else:
        return
    if not fits:
        name = type(crop).__name__
        raise FieldError(
            f"transform_ops.{name}.size",
            f"{name} cannot cut {width}x{height} pixels (width x height) out of pictures {pictures}; "
            "write a smaller size for the crop, or a larger one for the resize before it",
        )
