"""The rows of a list of pictures, whatever separates their fields."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ppcls.data.text import brief

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
    first = next((line for line in lines if line.strip()), "")
    for separator in _TABLE_DELIMITERS if delimiter is None else (delimiter,):
        if separator in first and len(separator) == 1 and separator != " ":
            yield _table(lines, separator)
    if not pairs.is_plain:
        yield pairs
    if delimiter in (None, " ") and all(
        " " in line.strip() for line in lines if line.strip()
    ):
        columns = _table(lines, " ")
        if columns.width > 2 and not columns.problems:
            yield columns
        yield _split_at_the_first(lines)


def _split_at_the_last(lines: Sequence[str], delimiter: str) -> Rows:
    rows = Rows([], [])
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, _, label = line.rstrip().rpartition(delimiter)
        if name.rstrip():
            rows.fields.append([name.rstrip(), label.strip()])
            rows.lines.append(number)
        else:
            rows.problems.append(
                (
                    number,
                    f"{brief(line)!r} has no label; write the path, {delimiter!r} and the label",
                )
            )
    is_plain = not rows.problems and all(
        WHOLE_NUMBER.fullmatch(label) for _, label in rows.fields
    )
    return replace(rows, is_plain=is_plain)


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
    rows = Rows([], [])
    reader = csv.reader(
        (f"{line}\n" for line in lines),
        delimiter=delimiter,
        skipinitialspace=True,
        strict=True,
    )
    begin = 1
    try:
        for fields in reader:
            if len(fields) > MOST_COLUMNS:
                text = (
                    f"the line has {len(fields):,} fields, more than {MOST_COLUMNS:,}"
                )
                rows.problems.append((begin, f"{text}; give a table of fewer columns"))
                return rows
            stripped = [text.strip() for text in fields]
            if any(stripped):
                _add(rows, begin, stripped)
            begin = reader.line_num + 1
    except csv.Error as error:
        rows.problems.append((begin, _csv_problem(lines[begin - 1], error)))
    return rows


def _csv_problem(line: str, error: csv.Error) -> str:
    if "\r" in line:
        return "the line holds a carriage return; end all lines of the file alike"
    if '"' in line:
        remedy = 'close it, and write a quotation mark within a field twice (""), or leave the quotation marks out'
        return f"the quotation mark at the beginning of a field is not closed; {remedy}"
    return f"the line cannot be read as a line of a table ({error})"


def _add(rows: Rows, line: int, fields: list[str]) -> None:
    if rows.fields and len(fields) != rows.width:
        rows.problems.append(
            (
                line,
                f"the line has {len(fields)} fields, but line {rows.lines[0]} has {rows.width}; write quotation marks "
                "around a field that holds the delimiter",
            )
        )
        return
    rows.fields.append(fields)
    rows.lines.append(line)
