"""The preprocessing of a bundle, for Python 3.8; see `standalone`, which makes one file of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ppcls.data.transforms.base import UnreadableImage
from ppcls.data.transforms.decode import PICTURE_MEMORY, DecodeImage
from ppcls.data.transforms.geometry import CenterCrop, CropImage, Pad, ResizeImage
from ppcls.data.transforms.normalize import NormalizeImage, ToCHWImage
from ppcls.data.transforms.pipeline import memory_for, with_resized_crops

SERVED: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        DecodeImage,
        ResizeImage,
        CropImage,
        CenterCrop,
        Pad,
        NormalizeImage,
        ToCHWImage,
    )
}
"""The transforms that draw nothing at random, by their names."""


class Preprocess:
    """Bytes of a picture file to the model's input; several threads may share it.

    Args:
        transforms: `{name: {key: value}}` of each transform, in the form of `Pipeline.normalized().to_list()`.
    """

    def __init__(self, transforms: Sequence[Mapping[str, Mapping[str, Any]]]) -> None:
        made = []
        for entry in transforms:
            for name, keys in entry.items():
                made.append(SERVED[name](**keys))
        self._decode, *self._ops = made
        self._run = with_resized_crops(self._ops)

    def __call__(self, data: bytes) -> np.ndarray:
        """The input, float32 [C, H, W].

        Raises:
            UnreadableImage: The bytes hold no picture, or only part of one; its `reason` says why.
            UserError: The picture does not suit the transforms, for example is smaller than a crop.
        """
        header = self._decode.admit(data)
        with PICTURE_MEMORY.taken(memory_for(header, self._ops)):
            image = self._decode.whole(data, header.frame)
            for op in self._run:
                image = op(image)
        return np.ascontiguousarray(image, np.float32)


__all__ = ["SERVED", "Preprocess", "UnreadableImage"]
