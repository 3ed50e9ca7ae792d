"""The record of a folder of `.npz` files, by which an interrupted run is resumed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppcls.utils.errors import expect
from ppcls.utils.files import make_folders, write_atomically
from ppcls.utils.lock import claimed

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
