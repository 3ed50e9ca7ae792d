"""Rows as Markdown and as CSV, and figures as they stand in cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table, its last line ended; None is an empty cell."""
    lines = [
        header,
        ["---"] * len(header),
        *([_text(cell) for cell in row] for row in rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The same for programs; None is an empty cell."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_text(cell, "") for cell in row] for row in rows)
    return file.getvalue()


def spread(median: float, low: float, high: float) -> str:
    """`31.20 (30.95 to 33.10)`: the median, and what nine of ten calls lie in."""
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


def short(value: float | None) -> str | None:
    """A figure of someone else's, as printed."""
    return (
        None
        if value is None
        else f"{value:g}"
        if value == round(value, 2)
        else str(value)
    )


def _text(cell: object, bar: str = "\\") -> str:
    return "" if cell is None else str(cell).replace("|", f"{bar}|")
