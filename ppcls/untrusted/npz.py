"""Arrays in `.npz` and `.npy` files. No pickled object is read, and memory is bounded by the file's size."""

from __future__ import annotations

import io
import warnings
import zipfile
from math import prod
from pathlib import Path
from typing import IO

import numpy as np

from ppcls.untrusted.refusals import Damaged, refusals, require, shown
from ppcls.utils.errors import expect


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


_MAX_ARRAYS = 1000
_MAX_AXES = 32
# Arrays of zeros are compressed 1,000 times; those of pictures, tensors and scores at most a few times
_MAX_RATIO = 8
_ALLOWED_IN_ANY_CASE = 128 << 20  # bytes
_KINDS = "biuf"  # of numbers that are not pointers, texts or records
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_arrays(
    path: Path, kind: str = ".npz file", again: str = "write it again"
) -> dict[str, np.ndarray]:
    """Reads the arrays of an `.npz` file, or the one array of an `.npy` file by the name "".

    Args:
        path: The file.
        kind: What it should be, for messages.
        again: What to do about a missing or damaged one.

    Raises:
        UserError: It is missing or damaged, or its arrays would take memory out of proportion to its size.
    """
    expect(path.is_file(), f"{path} is missing; {again}")
    with refusals(path, kind, again=again):
        content = path.read_bytes()
        # Of a file on a disk, the places that a damaged archive names raise OSError
        file, size = io.BytesIO(content), len(content)
        if file.read(6) == np.lib.format.MAGIC_PREFIX:
            file.seek(0)
            return {"": _read_array(file, size)}
        with zipfile.ZipFile(file) as archive:
            return _read_archive(archive, max(_ALLOWED_IN_ANY_CASE, _MAX_RATIO * size))


def _read_archive(archive: zipfile.ZipFile, limit: int) -> dict[str, np.ndarray]:
    members = archive.infolist()
    require(len(members) <= _MAX_ARRAYS, f"it has {len(members)} arrays")
    total = sum(member.file_size for member in members)
    require(total <= limit, f"its arrays would take more than {limit >> 20} MiB")
    arrays = {}
    for member in members:
        name = member.filename.removesuffix(".npy")
        require(
            member.compress_type in _COMPRESSIONS,
            f"{shown(name)} is compressed in another way than by deflate",
        )
        require(name not in arrays, f"two arrays are named {shown(name)}")
        with archive.open(member) as content:
            arrays[name] = _read_array(content, member.file_size)
    return arrays


def _read_array(file: IO[bytes], size: int) -> np.ndarray:
    """Read one `.npy` file of `size` bytes, whose header must account for every byte."""
    is_array = file.read(6) == np.lib.format.MAGIC_PREFIX
    require(is_array, "it holds something that is not an array")
    file.seek(0)
    shape, in_fortran_order, dtype = _read_header(file)
    require(dtype.kind in _KINDS, f"it holds an array of {shown(str(dtype))}")
    require(len(shape) <= _MAX_AXES, f"it holds an array with {len(shape)} axes")
    require(
        prod(shape) * dtype.itemsize == size - file.tell(),
        "an array has another size than its header states",
    )
    # In memory, Fortran's order of an array is C's order of the transposed array
    in_memory = np.empty(shape[::-1] if in_fortran_order else shape, dtype)
    content = in_memory.reshape(-1).view(np.uint8)
    count = file.readinto(content)  # type: ignore[attr-defined]
    require(count == content.size, "an array is cut off")
    return in_memory.T if in_fortran_order else in_memory


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a damaged header lets Python say
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(file)
        if version == (2, 0):
            return np.lib.format.read_array_header_2_0(file)
    raise Damaged(f"it holds an array of the unknown version {version}")
