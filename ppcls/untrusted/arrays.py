"""Arrays with this machine's byte order, in types that numpy has."""

from __future__ import annotations

import numpy as np


def native(array: np.ndarray) -> np.ndarray:
    """The same values in this machine's byte order, copied only if they have another one."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def plain(array: np.ndarray) -> np.ndarray:
    """The same values in this machine's byte order and in C order, as files have them; 0-d stays 0-d."""
    array = native(array)
    return array if array.flags.c_contiguous else array.copy("C")


def bfloat16_to_float32(bits: np.ndarray) -> np.ndarray:
    """Converts bfloat16 numbers, given as unsigned 16-bit integers [N], to float32, exactly."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def float32_size(array: np.ndarray) -> int:
    """The bytes that an array takes, with half-precision numbers as float32, which models convert them to."""
    is_half = array.dtype == np.float16
    return array.nbytes * 2 if is_half else array.nbytes
