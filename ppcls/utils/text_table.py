"""Tables of text for a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def aligned(
    header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: Collection[str]
) -> str:
    """Return a table whose columns are two spaces apart.

    Args:
        header: The titles.
        rows: The cells.
        text_columns: The titles of the columns that are aligned left. The others are numbers and aligned right.
    """
    table = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*table)]
    lines = []
    for row in table:
        cells = []
        for title, cell, width in zip(header, row, widths):
            if title in text_columns:
                cells.append(cell.ljust(width))
            else:
                cells.append(cell.rjust(width))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
