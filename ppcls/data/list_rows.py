"""Rows of a list file, in every way in which its lines can be read, and the options for reading it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ppcls.utils.errors import brief

WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
_TABLE_DELIMITERS = ("\t", ",", ";", "|")
MOST_COLUMNS = 1000


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of as many fields each.

    Attributes:
        fields: The fields of each row, without blanks around them.
        lines: The number of the line at which each row begins, from 1.
        problems: (line, what is wrong) of the lines that are no such row.
        is_plain: Whether every row is a path and a whole number, as PaddleClas's lists have them.
    """

    fields: list[list[str]]
    lines: list[int]
    problems: list[tuple[int, str]] = field(default_factory=list)
    is_plain: bool = False

    @property
    def width(self) -> int:
        """Fields of a row."""
        return len(self.fields[0]) if self.fields else 0


def possible_rows(lines: Sequence[str], delimiter: str | None = None) -> Iterator[Rows]:
    """Yield the ways in which the lines can be read, the likeliest first.

    A line is `path label`, where the label is what follows the last delimiter, so that a path may hold the delimiter;
    or it is a line of a table as spreadsheets and pandas write it, with quotation marks where a field needs them. The
    label may also be all that follows the first blank, unless every line has as many blanks.

    Args:
        lines: The lines of a file.
        delimiter: What separates the fields; None for a blank in `path label` and for a tab, a comma or a semicolon
            in a table.
    """
    pairs = _split_at_the_last(lines, delimiter or " ")
    if pairs.is_plain:
        yield pairs
    yield from _tables(lines, delimiter)
    if not pairs.is_plain:
        yield pairs
    if delimiter in (None, " "):
        yield from _split_at_other_blanks(lines)


def _tables(lines: Sequence[str], delimiter: str | None) -> Iterator[Rows]:
    """Read the lines as tables, by each delimiter that the first line holds."""
    delimiters: Sequence[str] = _TABLE_DELIMITERS
    if delimiter is not None:
        delimiters = (delimiter,)
    first = next(filter(str.strip, lines), "")
    for separator in delimiters:
        # A blank separates the fields of a list; the csv module takes one character
        if separator != " " and len(separator) == 1 and separator in first:
            yield _table(lines, separator)


def _split_at_other_blanks(lines: Sequence[str]) -> Iterator[Rows]:
    """Read lines of several fields between blanks, or of a label that holds blanks."""
    filled = map(str.strip, filter(str.strip, lines))
    if not all(" " in line for line in filled):
        return
    columns = _table(lines, " ")
    if columns.width > 2 and not columns.problems:
        yield columns
    yield _split_at_the_first(lines)


def _split_at_the_last(lines: Sequence[str], delimiter: str) -> Rows:
    """Rows of a path that may hold the delimiter and a label that does not."""
    rows = Rows([], [])
    is_plain = True
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, _, label = line.rstrip().rpartition(delimiter)
        name, label = name.rstrip(), label.strip()
        if name:
            rows.fields.append([name, label])
            rows.lines.append(number)
            is_plain = is_plain and WHOLE_NUMBER.fullmatch(label) is not None
        else:
            text = f"{brief(line)!r} has no label; write the path, {delimiter!r} and the label"
            rows.problems.append((number, text))
    return replace(rows, is_plain=is_plain and not rows.problems)


def _split_at_the_first(lines: Sequence[str]) -> Rows:
    """Rows of a path without blanks and a label that may have some, such as `golden retriever`."""
    rows = Rows([], [])
    for number, line in enumerate(lines, 1):
        if line.strip():
            name, _, label = line.strip().partition(" ")
            rows.fields.append([name, label.strip()])
            rows.lines.append(number)
    return rows


def _table(lines: Sequence[str], delimiter: str) -> Rows:
    """Rows as the csv module reads them; reading ends at the first line that it cannot read."""
    rows = Rows([], [])
    reader = csv.reader(
        map("{}\n".format, lines),
        delimiter=delimiter,
        skipinitialspace=True,
        strict=True,
    )
    begin = 1
    try:
        for fields in reader:
            if len(fields) > MOST_COLUMNS:
                rows.problems.append((begin, _too_many(len(fields))))
                return rows
            _add(rows, begin, list(map(str.strip, fields)))
            begin = reader.line_num + 1
    except csv.Error as error:
        rows.problems.append((begin, _csv_problem(lines[begin - 1], error)))
    return rows


def _too_many(fields: int) -> str:
    return (
        f"the line has {fields:,} fields, more than {MOST_COLUMNS:,}; "
        "give a table of fewer columns"
    )


def _csv_problem(line: str, error: csv.Error) -> str:
    if "\r" in line:
        return "the line holds a carriage return; end all lines of the file alike"
    if '"' in line:
        remedy = 'close it, and write a quotation mark within a field twice (""), or leave the quotation marks out'
        return f"the quotation mark at the beginning of a field is not closed; {remedy}"
    return f"the line cannot be read as a line of a table ({error})"


def _add(rows: Rows, line: int, fields: list[str]) -> None:
    """Add a row, or the problem of one with another number of fields; a row of empty fields is passed over."""
    if not any(fields):
        return
    if rows.fields and len(fields) != rows.width:
        text = (
            f"the line has {len(fields)} fields, but line {rows.lines[0]} has {rows.width}; write quotation marks "
            "around a field that holds the delimiter"
        )
        rows.problems.append((line, text))
        return
    rows.fields.append(fields)
    rows.lines.append(line)


Column = str | int

# What a user writes to say where the pictures are, and which column holds pictures and labels: keys or flags.
KEYS = ("image_root", "image_column", "label_column")
FLAGS = ("--image-root", "--image-column", "--label-column")


@dataclass(frozen=True)
class ReadingOptions:
    """Options for reading a list, and the names of the keys or flags that set them.

    Attributes:
        image_root: What the paths are relative to.
        delimiter: What separates the fields; None finds it.
        image_column: The column of the pictures, by its name or counted from 0; None finds it.
        label_column: The same of the labels.
        searches: Whether pictures are looked for in the folders below `image_root` and in the working directory, too.
        keys: The names of the keys or flags for `image_root`, `image_column` and `label_column`; empty where
            there are none.
    """

    image_root: str
    delimiter: str | None = None
    image_column: Column | None = None
    label_column: Column | None = None
    searches: bool = False
    keys: tuple[str, str, str] = KEYS
