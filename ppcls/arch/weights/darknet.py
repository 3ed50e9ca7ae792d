"""Names and shapes for the numbers of a Darknet file, which has neither.

Darknet's batch normalization adds epsilon outside of the root or inside, depending on its version; here it is inside,
as in Paddle, so outputs differ a little from those of a version that has it outside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ppcls.utils.errors import UserError

Convolution = tuple[str, tuple[int, int, int, int], bool]


def split_darknet(
    path: Path, values: np.ndarray, convolutions: Sequence[Convolution]
) -> dict[str, np.ndarray]:
    """Names and shapes the numbers of a Darknet file.

    Args:
        path: The file, for messages.
        values: Its numbers [N].
        convolutions: In the network's order, the name, the weight's shape [out, in, height, width] and whether
            batch normalization follows.

    Returns:
        float32 arrays: `NAME.conv.weight` and `NAME.bn.weight`, `bias`, `_mean`, `_variance`; without batch
        normalization `NAME.weight` and `NAME.bias`.

    Raises:
        UserError: the network has another number of values.
    """
    parts: list[tuple[str, tuple[int, ...]]] = []
    for convolution in convolutions:
        parts += _parts(*convolution)
    wanted = sum(math.prod(shape) for _, shape in parts)
    if len(values) != wanted:
        missing = wanted - len(values)
        much = f"{missing:,} too few" if missing > 0 else f"{-missing:,} too many"
        raise UserError(
            f"{path}: holds {len(values):,} numbers where the network has {wanted:,} ({much}); "
            "give the weights of this network, whole"
        )
    arrays, start = {}, 0
    for name, shape in parts:
        end = start + math.prod(shape)
        arrays[name] = values[start:end].reshape(shape)
        start = end
    return arrays


def _parts(
    name: str, shape: tuple[int, int, int, int], normalized: bool
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The arrays of a convolution in the file's order: bias, scale, statistics, weight."""
    if normalized:
        for leaf in ("bias", "weight", "_mean", "_variance"):
            yield f"{name}.bn.{leaf}", shape[:1]
        yield f"{name}.conv.weight", shape
    else:
        yield f"{name}.bias", shape[:1]
        yield f"{name}.weight", shape
