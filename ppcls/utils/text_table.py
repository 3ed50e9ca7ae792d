"""Tables of text for a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def aligned(
    header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: Collection[str]
) -> str:
    """Columns two spaces apart: those of `text_columns` begin in line, the others, which are numbers, end in line."""
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    lines = (
        "  ".join(
            cell.ljust(width) if title in text_columns else cell.rjust(width)
            for title, cell, width in zip(header, row, widths)
        )
        for row in (header, *rows)
    )
    return "\n".join(line.rstrip() for line in lines)
