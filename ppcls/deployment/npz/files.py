"""Names of `.npz` files, the list of them, and the record of a folder, by which an interrupted run is resumed."""

from __future__ import annotations

import contextlib
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ppcls.data.text import read_lines
from ppcls.utils.errors import expect
from ppcls.utils.files import PathLike, is_file, make_folders, write_atomically
from ppcls.utils.lock import claimed


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


_REMEDY = "give another folder, or remove it"


@dataclass(frozen=True)
class Progress:
    """How many files were written, and how many existed already."""

    written: int
    kept: int

    def __str__(self) -> str:
        if not self.kept:
            return f"{self.written} written"
        return f"{self.written} written, {self.kept} existed already"


@dataclass(frozen=True)
class FolderRecord:
    """What the files of a folder were made of, in a JSON file beside them.

    Attributes:
        name: The name of the JSON file.
        content: What the files are made of now.
        contradiction: What a folder with another record holds, for the message.
        others: Names of files besides `*.npz` that are written with the record.
    """

    name: str
    content: dict[str, Any]
    contradiction: str
    others: tuple[str, ...] = ()

    @contextlib.contextmanager
    def filling(self, folder: Path, doing: str) -> Iterator[None]:
        """Keep the record of a folder that gets files meanwhile; if none is written, the record is deleted again.

        Args:
            folder: The folder, which need not exist.
            doing: What the caller does, for other processes: `writing inputs into`.

        Raises:
            UserError: The folder holds files that were made of something else or without a record, or another process
                writes there.
        """
        with claimed(folder, doing, "wait until it ends, or give another folder"):
            self._check(folder)
            record = folder / self.name
            is_new = not folder.exists()
            make_folders(folder)
            try:
                write_atomically(record, self._text().encode())
                yield
            except BaseException:
                if not any(folder.glob("*.npz")):
                    record.unlink(missing_ok=True)
                    if is_new:
                        folder.rmdir()
                raise

    def _check(self, folder: Path) -> None:
        first = self._first_file(folder)
        record = folder / self.name
        if first is None:
            return
        expect(
            record.is_file(),
            f"{folder} has {first.name}, but no {self.name} that says what it was made of; {_REMEDY}",
        )
        expect(
            record.read_text(encoding="utf-8") == self._text(),
            f"{folder} holds {self.contradiction}; {_REMEDY}",
        )

    def _first_file(self, folder: Path) -> Path | None:
        """A file that was written with a record, if there is one."""
        for pattern in ("*.npz", *self.others):
            for file in sorted(folder.glob(pattern)):
                return file
        return None

    def _text(self) -> str:
        return json.dumps(self.content, sort_keys=True, indent=1)
