"""Darknet's files of weights: numbers in the network's order, without names or shapes.

Its batch normalization has epsilon outside of the root or inside, depending on Darknet's version; here it is inside,
as Paddle has it, so outputs differ a little from those of a version that has it outside.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ppcls.untrusted.arrays import native
from ppcls.untrusted.record import Content
from ppcls.untrusted.refusals import Damaged, refusals
from ppcls.utils.errors import UserError

if TYPE_CHECKING:
    from ppcls.arch.weights.files import WeightsFile

Convolution = tuple[str, tuple[int, int, int, int], bool]


def read_darknet(path: Path) -> Content:
    """The numbers behind the header: three 32-bit versions and how many pictures were seen, in 32 or 64 bits."""
    with refusals(path, "Darknet file"), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= 16:
            raise Damaged(f"{size} bytes are no more than a header")
        major, minor, revision = struct.unpack("<iii", file.read(12))
        if not (0 <= major < 1000 and 0 <= minor < 1000 and revision >= 0):
            raise Damaged(f"its header gives version {major}.{minor}.{revision}")
        offset = 20 if major * 10 + minor >= 2 else 16
        if size <= offset or size % 4:
            raise Damaged(
                f"of {size} bytes {offset} are its header, and numbers take 4 each"
            )
        file.seek(offset)
        return {"values": native(np.fromfile(file, "<f4"))}, None


def split_darknet(
    file: WeightsFile, convolutions: Sequence[Convolution]
) -> dict[str, np.ndarray]:
    """Names and shapes the numbers of a Darknet file.

    Args:
        file: A `.weights` file as it was read.
        convolutions: In the network's order, the name, the weight's shape [out, in, height, width] and whether
            batch normalization follows.

    Returns:
        float32 arrays: `NAME.conv.weight` and `NAME.bn.weight`, `bias`, `_mean`, `_variance`; without batch
        normalization `NAME.weight` and `NAME.bias`.

    Raises:
        UserError: its numbers are not as many as the network's.
    """
    values = file.arrays["values"]
    parts = [part for convolution in convolutions for part in _parts(*convolution)]
    wanted = sum(math.prod(shape) for _, shape in parts)
    if len(values) != wanted:
        much = (
            f"{wanted - len(values):,} too few"
            if len(values) < wanted
            else f"{len(values) - wanted:,} too many"
        )
        raise UserError(
            f"{file.path}: holds {len(values):,} numbers where the network has {wanted:,} ({much}); "
            "give the weights of this network, whole"
        )
    ends = np.cumsum([math.prod(shape) for _, shape in parts])[:-1]
    return {
        name: piece.reshape(shape)
        for (name, shape), piece in zip(parts, np.split(values, ends))
    }


def _parts(
    name: str, shape: tuple[int, int, int, int], normalized: bool
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """What a convolution has, in the file's order: what is added, what multiplies, the statistics, the weight."""
    if normalized:
        yield from (
            (f"{name}.bn.{leaf}", shape[:1])
            for leaf in ("bias", "weight", "_mean", "_variance")
        )
        yield f"{name}.conv.weight", shape
    else:
        yield f"{name}.bias", shape[:1]
        yield f"{name}.weight", shape
