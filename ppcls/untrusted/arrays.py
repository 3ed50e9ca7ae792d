"""Arrays in the terms of this machine."""

from __future__ import annotations

import numpy as np


def native(array: np.ndarray) -> np.ndarray:
    """The same numbers in this machine's byte order, copied only where they are not."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def plain(array: np.ndarray) -> np.ndarray:
    """The same numbers in this machine's byte order and in C's order, as files have them; 0-d stays 0-d."""
    array = native(array)
    return array if array.flags.c_contiguous else array.copy("C")


def bfloat16_to_float32(bits: np.ndarray) -> np.ndarray:
    """The upper halves of float32 numbers, as unsigned integers [N], to these numbers, exactly."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
