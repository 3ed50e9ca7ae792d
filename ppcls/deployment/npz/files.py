"""Names of `.npz` files, and the list of them."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ppcls.data.text import read_lines
from ppcls.utils.errors import expect
from ppcls.utils.files import PathLike, is_file, write_atomically


def npz_name(picture: str) -> str:
    """A picture's file among the inputs: its path in the list, on one level; `val/a.jpg` is `val__a.npz`."""
    place = PurePath(picture)
    parts = [
        part for part in (*place.parts[:-1], place.stem) if part not in ("/", "..")
    ]
    return "__".join(parts) + ".npz"


def number_order(name: str) -> tuple[list[str | int], str]:
    """A key that sorts names by the numbers in them, `2.npz` before `10.npz`."""
    # Text and numbers alternate, so like is compared with like.
    key: list[str | int] = list(re.split(r"(\d+)", name))
    key[1::2] = map(int, key[1::2])
    return key, name


def read_datalist(path: PathLike) -> list[Path]:
    """Read the inputs of a datalist, one path per line; an input that is not there is searched beside the list.

    Raises:
        UserError: The list is empty, or two files have the same name.
    """
    folder = Path(path).parent
    files: dict[str, Path] = {}
    for line in read_lines(Path(path)):
        if not line.strip():
            continue
        file = Path(line.strip())
        name = file.stem
        expect(
            name not in files,
            f"{path}: two files have the name {name}, so their results would too; rename one",
        )
        files[name] = file if file.is_file() else folder / file.name
    expect(files, f"{path} lists no files; write one path of an .npz file per line")
    return list(files.values())


def shapes_of(arrays: Iterable[np.ndarray]) -> str:
    """The shapes of arrays, for a message: `[1, 3, 8, 8], [5]`."""
    return ", ".join(str(list(array.shape)) for array in arrays) or "nothing"


def is_whole(path: Path) -> bool:
    """Whether the file exists and has its end, which is missing after a machine failed."""
    return is_file(path) and zipfile.is_zipfile(path)


def save_array(path: Path, key: str, array: np.ndarray) -> None:
    """Write an `.npz` file atomically, without a sync, which would take longer than all the rest."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {key: array.astype(np.float32, copy=False)}
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue(), sync=False)
