"""`.npz` files, one a picture, and the list of them."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.data.text import read_lines
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike, write_atomically


def npz_name(picture: str) -> str:
    """A picture's file among the inputs: its path in the list, on one level: `val/a.jpg` is `val__a.npz`."""
    parts = [
        part for part in Path(picture).with_suffix("").parts if part not in ("/", "..")
    ]
    return "__".join(parts) + ".npz"


def numbered(name: str) -> tuple[list[str | int], str]:
    """What sorts names by the numbers in them, `2.npz` before `10.npz`."""
    # Text and numbers take turns, so like is compared with like
    parts = re.split(r"(\d+)", name)
    return [int(part) if at % 2 else part for at, part in enumerate(parts)], name


def read_datalist(path: PathLike) -> list[Path]:
    """The inputs of a datalist, one path per line; one that moved with its list is found beside it.

    Raises:
        UserError: the list is empty, or two files have the same name.
    """
    listed = [Path(line.strip()) for line in read_lines(Path(path)) if line.strip()]
    if not listed:
        raise UserError(f"{path} lists no file; write the path of an .npz file a line")
    twice = next(
        (
            name
            for name, count in Counter(file.stem for file in listed).items()
            if count > 1
        ),
        None,
    )
    if twice:
        raise UserError(
            f"{path}: two files have the name {twice}, so their results would too; rename one"
        )
    beside = Path(path).parent
    return [file if file.is_file() else beside / file.name for file in listed]


def is_whole(path: Path) -> bool:
    """Whether the file is there; of one that a failing machine cut short, the end is missing."""
    return zipfile.is_zipfile(path)


def save_array(path: Path, key: str, array: np.ndarray) -> None:
    """Write an `.npz` file atomically, without a sync, which would take longer than all the rest."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {key: array.astype(np.float32, copy=False)}
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue(), sync=False)
