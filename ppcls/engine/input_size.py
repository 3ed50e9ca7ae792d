"""Change of the input size: transforms and shape are changed together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ppcls.config import Config
from ppcls.data.transforms import CenterCrop, CropImage, Pipeline, ResizeImage
from ppcls.utils.errors import UserError

_SIZE = re.compile(r"([1-9][0-9]{0,4})(?:x([1-9][0-9]{0,4}))?")


def parse_size(text: str) -> tuple[int, int]:
    """Parse height and width: `256` stands for both, `256x320` for a height of 256 and a width of 320.

    Raises:
        ValueError: it is neither.
    """
    found = _SIZE.fullmatch(text)
    if not found:
        raise ValueError(
            f"a size of {text!r}; write 256, or 256x320 for a height of 256 and a width of 320"
        )
    return int(found[1]), int(found[2] or found[1])


def at_size(config: Config, size: tuple[int, int]) -> Config:
    """Set the size (height, width) in DataLoader.Eval's transforms and in Global.image_shape.

    The shorter side before a central crop grows with the crop's longer side, so the same part of a picture is seen.

    Raises:
        UserError: the transforms give no fixed size that could be changed.
    """
    section = config.DataLoader.Eval
    assert section is not None  # load_config requires it for an export
    ops = resized(section.dataset.transform_ops, size)
    reader = replace(section, dataset=replace(section.dataset, transform_ops=ops))
    return replace(
        config,
        Global=replace(
            config.Global, image_shape=(config.Global.image_shape[0], *size)
        ),
        DataLoader=replace(config.DataLoader, Eval=reader),
        Infer=replace(config.Infer, transforms=None),
    )


def resized(ops: Sequence[Any], size: tuple[int, int]) -> tuple[Any, ...]:
    """Change transforms so that their result has the size (height, width)."""
    height, width = size
    before = Pipeline(ops).output_size
    sizing = [place for place, op in enumerate(ops) if op.output_size(None)]
    if before is None or len(sizing) != 1:
        raise UserError(
            "the transforms of DataLoader.Eval have no single size that --size could change; end them with one "
            "CropImage, or one ResizeImage with size"
        )
    factor = max(size) / max(before[1:])
    changed: list[Any] = []
    for place, op in enumerate(ops):
        if place in sizing and isinstance(op, (CropImage, CenterCrop, ResizeImage)):
            changed.append(replace(op, size=(width, height)))
        elif isinstance(op, ResizeImage):
            shorter = op.resize_short or 0
            changed.append(replace(op, resize_short=round(shorter * factor)))
        else:
            changed.append(op)
    return tuple(changed)
