"""A table of measurements in a folder, written after each measurement, from which an interrupted run resumes."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from ppcls.benchmark.tables import csv_text
from ppcls.untrusted.json_text import parse_json
from ppcls.untrusted.refusals import Damaged
from ppcls.utils.errors import UserError, expect
from ppcls.utils.fields import allows, field_types, require
from ppcls.utils.files import PathLike, read_regular_file, write_atomically
from ppcls.utils.lock import claimed

REMEDY = "give another --output"
_MOST_ROWS = 5000
_MOST_BYTES = 100_000_000
_LONGEST_TEXT = 10_000
_LARGEST_NUMBER = 1e15
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


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
        for row, published in zip(self.rows, self.published_cells()):
            lines.append([*asdict(row).values(), *published])
        return csv_text([*names, *self.published_columns()], lines)

    def json(self) -> str:
        """The rows, and `extra_content`."""
        content = {**self.extra_content(), "rows": list(map(asdict, self.rows))}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    def published_columns(self) -> Sequence[str]:
        """The names of the CSV file's columns with published figures."""
        return ()

    def published_cells(self) -> Sequence[Sequence[object]]:
        """The cells of each row in these columns."""
        return [()] * len(self.rows)

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

    def _row(self, values: dict[str, Any]) -> Row:
        """A row of the file.

        Raises:
            ValueError: A value is not of the field's type, or cannot be shown in a table.
            TypeError: A field is unknown or missing.
        """
        row: Row = self.ROW(**values)
        for name, annotation in field_types(self.ROW).items():
            value = values.get(name)
            if name in values and not allows(annotation, value):
                raise ValueError(f"{name} is of type {type(value).__name__}")
            require(_fits_a_table(value), f"{name} is out of range")
        return row

    def _read(self, file: Path) -> list[Row]:
        try:
            content = parse_json(read_regular_file(file, _MOST_BYTES))
            require(len(content["rows"]) <= _MOST_ROWS, "too many rows")
            rows: list[Row] = [self._row(values) for values in content["rows"]]
        except (Damaged, ValueError, KeyError, TypeError) as error:
            raise self.not_ours(file) from error
        self.check(content, file)
        return list(filter(self.has_figures, rows))


def _fits_a_table(value: object) -> bool:
    """Whether a value of a file can be a cell; digits without end and halves of characters cannot."""
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT and not _HALF_CHARACTER.search(value)
    if isinstance(value, (int, float)):
        return abs(value) < _LARGEST_NUMBER
    return True


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
    expect(os.access(folder, os.W_OK), f"{folder} cannot be written to; {remedy}")
