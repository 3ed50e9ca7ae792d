"""Rows as Markdown and as CSV, and how figures are written in cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table that ends with a newline; None is an empty cell."""
    lines = [" | ".join(header), " | ".join(["---"] * len(header))]
    for row in rows:
        lines.append(" | ".join(_text(cell).replace("|", "\\|") for cell in row))
    return "".join(f"| {line} |\n" for line in lines)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The text of a CSV file; None is an empty cell."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow(map(_text, row))
    return file.getvalue()


def spread(median: float, low: float, high: float) -> str:
    """`31.20 (30.95 to 33.10)`: the median, and the range of nine out of ten calls."""
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


def short(value: float | None) -> str | None:
    """A published figure, with the digits that were printed."""
    if value is None:
        return None
    if value == round(value, 2):
        return f"{value:g}"
    return str(value)


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)
