"""Tables of text for a terminal."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def aligned(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    text_columns: Collection[str],
    width: int | None = None,
    optional: Sequence[str] = (),
) -> str:
    """Return a table whose columns are two spaces apart.

    Args:
        header: The titles.
        rows: The cells.
        text_columns: The titles of the columns that are aligned left. The others are numbers and aligned right.
        width: The characters of a line; None if they do not matter.
        optional: The titles of columns that may be left out of a table that is wider, the first one first. A last line
            names those that are.
    """
    columns = dict(zip(header, zip(header, *rows)))
    left_out = []
    for title in optional:
        if width is None or _width(columns) <= width:
            break
        del columns[title]
        left_out.append(title)
    justified = []
    for title, cells in columns.items():
        size = max(map(len, cells))
        if title in text_columns:
            justified.append([cell.ljust(size) for cell in cells])
        else:
            justified.append([cell.rjust(size) for cell in cells])
    lines = ["  ".join(cells).rstrip() for cells in zip(*justified)]
    if left_out:
        lines.append(f"(for a wider terminal: {', '.join(left_out)})")
    return "\n".join(lines)


def _width(columns: Mapping[str, Sequence[str]]) -> int:
    """The characters of the widest line."""
    widths = [max(map(len, cells)) for cells in columns.values()]
    return sum(widths) + 2 * (len(widths) - 1)
