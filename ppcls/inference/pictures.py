"""Which pictures a source means, and the one picture that the library ships."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.utils.errors import UserError
from ppcls.utils.picture_files import SUFFIXES, walk_pictures
from ppcls.utils.user_paths import expanded

# Drawn by integer arithmetic alone (tests/inference/test_pictures.py holds the script and compares every pixel), so
# nobody owns it. Its rings, weave, stripes and chequers change visibly under another interpolation, its sides and
# colours under a flip or another channel order.
GOLDEN_PICTURE = Path(__file__).with_name("golden.png")
GOLDEN_SOURCE = "drawn by the library (ppcls/inference/golden.png)"

Content = Path | bytes | np.ndarray


@dataclass(frozen=True)
class Picture:
    """One picture: where it is from (a path, or its index in the given list) and what it is."""

    source: str | int
    content: Content


def pictures_of(source: Any, color: str | None = None) -> list[Picture]:
    """The pictures that `source` means, in order.

    Args:
        source: a folder (its pictures and those of its subfolders, sorted by path; hidden files are left out), a
            file, a picture's bytes, an array uint8 [H, W, 3], or a list of files, bytes and arrays.
        color: `RGB` or `BGR`, the channel order of the arrays; None without arrays.

    Raises:
        UserError: nothing is there, an array is of another type or shape, or its colour order is not said.
    """
    if isinstance(source, (str, os.PathLike)):
        path = Path(expanded(source))
        if path.is_dir():
            return [Picture(str(found), found) for found in find_pictures(path)]
        if not path.is_file():
            raise UserError(f"{path}: no such picture or folder")
        return [Picture(str(path), path)]
    if isinstance(source, (bytes, np.ndarray)) and getattr(source, "ndim", 3) != 4:
        source = [source]
    if not isinstance(source, (Sequence, np.ndarray)):
        raise UserError(f"a {type(source).__name__} is no picture; give a folder, a file, bytes, an array, or a list")
    return [_picture(index, item, color) for index, item in enumerate(source)]


def find_pictures(folder: Path) -> list[Path]:
    """Every picture file in `folder` and its subfolders, sorted by path.

    Raises:
        UserError: there is none.
    """
    found = [Path(path) for path in walk_pictures(str(folder))]
    if not found:
        raise UserError(f"{folder} holds no picture; those with the suffixes {', '.join(SUFFIXES)} count")
    return found


def _picture(index: int, item: Any, color: str | None) -> Picture:
    if isinstance(item, (str, os.PathLike)):
        path = Path(expanded(item))
        return Picture(str(path), path)
    if isinstance(item, bytes):
        return Picture(index, item)
    if not isinstance(item, np.ndarray):
        raise UserError(f"picture {index} is a {type(item).__name__}; give a path, bytes, or an array uint8 [H, W, 3]")
    if item.dtype != np.uint8 or item.ndim != 3 or item.shape[2] != 3 or 0 in item.shape:
        raise UserError(f"picture {index} is an array {item.dtype} {list(item.shape)}; give uint8 [H, W, 3]")
    if color not in ("RGB", "BGR"):
        raise UserError(f'picture {index} is an array: say its channel order, color="RGB" or color="BGR" (OpenCV\'s)')
    return Picture(index, item)
