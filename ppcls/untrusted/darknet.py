"""Darknet's files of weights: a header, then numbers in the network's order, without names or shapes."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np

from ppcls.untrusted.npz import native
from ppcls.untrusted.refusals import refusals, require
from ppcls.untrusted.weight_content import Content

_LONG_HEADER, _SHORT_HEADER = 20, 16  # bytes


def read_darknet(path: Path) -> Content:
    """Reads the numbers behind the header, as one float32 array [N] named `values`.

    The header holds three 32-bit parts of a version, and how many pictures were seen, in 32 or 64 bits.

    Raises:
        UserError: the file cannot be read or is damaged.
    """
    with refusals(path, "Darknet file"), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        require(size > _SHORT_HEADER, f"its {size} bytes are no more than a header")
        major, minor, revision = struct.unpack("<iii", file.read(12))
        is_known = 0 <= major < 1000 and 0 <= minor < 1000 and revision >= 0
        require(is_known, f"its header gives version {major}.{minor}.{revision}")
        is_long = major * 10 + minor >= 2
        header = _LONG_HEADER if is_long else _SHORT_HEADER
        require(
            size > header and size % 4 == 0,
            f"of {size} bytes {header} are its header, and each number takes 4",
        )
        file.seek(header)
        return {"values": native(np.fromfile(file, "<f4"))}, None
