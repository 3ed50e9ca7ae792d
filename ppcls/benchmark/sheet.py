"""A table of measurements in a folder, written after each measurement, from which an interrupted run resumes."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from ppcls.benchmark.tables import csv_text
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike, write_atomically
from ppcls.utils.lock import claimed

REMEDY = "give another --output"


class SheetRow(Protocol):
    """A dataclass with the figures of one measurement."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def key(self) -> object:
        """What was measured; a sheet has one row for each key."""
        ...

    @property
    def origin(self) -> object:
        """What the figures depend on; with another origin they are measured again."""
        ...


Row = TypeVar("Row", bound=SheetRow)


class Sheet(Generic[Row]):
    """Rows of measurements, and the files NAME.md, NAME.csv and NAME.json.

    A subclass sets `NAME` and `ROW`, and gives the Markdown text, the columns that the CSV file has besides the row's
    own fields, and what the JSON file holds besides the rows.

    Args:
        folder: Where the files are; rows that an earlier run left in NAME.json are taken over. None writes nothing.

    Raises:
        UserError: NAME.json was not written by this class, or does not belong to this run.
    """

    NAME: ClassVar[str]
    ROW: ClassVar[Any]

    def __init__(self, folder: PathLike | None) -> None:
        self.folder = None if folder is None else Path(folder)
        self.rows: list[Row] = []
        if folder is not None:
            file = Path(folder) / f"{self.NAME}.json"
            if file.is_file():
                self.rows = self._read(file)

    @property
    def is_empty(self) -> bool:
        """Whether no row has figures."""
        return not any(map(self.has_figures, self.rows))

    def has_figures(self, row: Row) -> bool:
        """Whether a row holds figures, and not the reason why there are none."""
        return True

    def find(self, key: object, origin: object) -> Row | None:
        """The row with this key, unless its figures have another origin."""
        for row in self.rows:
            if (row.key, row.origin) == (key, origin):
                return row
        return None

    def add(self, *rows: Row) -> None:
        """Put rows in, each in place of an older one with the same key, and write the files."""
        by_key = {row.key: row for row in self.rows}
        for new in rows:
            by_key[new.key] = new
        self.rows = list(by_key.values())
        if self.folder is not None and not self.is_empty:
            self.write()

    def write(self) -> list[Path]:
        """Write the files and return their paths."""
        assert self.folder is not None
        texts = {".md": self.markdown(), ".csv": self.csv(), ".json": self.json()}
        files = []
        for suffix, text in texts.items():
            files.append(self.folder / f"{self.NAME}{suffix}")
            write_atomically(files[-1], text.encode())
        return files

    def markdown(self) -> str:
        """The table for people."""
        raise NotImplementedError

    def csv(self) -> str:
        """One line per row: its fields, and the published figures of its model."""
        names = self.ROW.__dataclass_fields__
        lines = []
        for row in self.rows:
            lines.append([*asdict(row).values(), *self.published_cells(row)])
        return csv_text([*names, *self.published_columns()], lines)

    def json(self) -> str:
        """The rows, and `extra_content`."""
        content = {**self.extra_content(), "rows": list(map(asdict, self.rows))}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    def published_columns(self) -> Sequence[str]:
        """The names of the CSV file's columns with published figures."""
        return ()

    def published_cells(self, row: Row) -> Sequence[object]:
        """The cells of a row in these columns."""
        return ()

    def extra_content(self) -> dict[str, Any]:
        """What the JSON file holds besides the rows."""
        return {}

    def check(self, content: dict[str, Any], file: Path) -> None:
        """Check that rows of an earlier run belong to this one.

        Args:
            content: What the JSON file holds.
            file: Its path, for the message.

        Raises:
            UserError: They do not.
        """

    def not_ours(self, file: Path) -> UserError:
        """The error for a file that no sheet of this kind wrote."""
        return UserError(
            f"{file} was not written by `ppcls benchmark {self.NAME}`; {REMEDY}"
        )

    def _read(self, file: Path) -> list[Row]:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            rows: list[Row] = [self.ROW(**values) for values in content["rows"]]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self.not_ours(file) from error
        self.check(content, file)
        return list(filter(self.has_figures, rows))


@contextlib.contextmanager
def claimed_sheet(folder: PathLike | None, name: str) -> Iterator[None]:
    """Keep other processes from writing the same sheet, which would lose rows; None does nothing.

    Raises:
        UserError: Another process is writing it, the folder cannot be written to, or it has files with the sheet's
            names that no sheet wrote.
    """
    if folder is None:
        yield
        return
    record = Path(folder) / f"{name}.json"
    for suffix in (".csv", ".md"):
        table = record.with_suffix(suffix)
        if table.exists() and not record.exists():
            raise UserError(
                f"{table} exists already, without the {record.name} that an earlier run would have written; {REMEDY}"
            )
    # Makes the folder, too, and deletes it again if nothing was measured.
    with claimed(record, "writing", f"wait until it ends, or {REMEDY}"):
        require_writable(folder, REMEDY)
        yield


def require_writable(folder: PathLike, remedy: str) -> None:
    """Check before measuring that results can be written, so that hours do not end in an error.

    Args:
        folder: Where results will be written.
        remedy: The end of the message.

    Raises:
        UserError: The folder cannot be written to.
    """
    if not os.access(folder, os.W_OK):
        raise UserError(f"{folder} cannot be written to; {remedy}")
