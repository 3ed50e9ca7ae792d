"""What a stream can show: its width, colours, text in columns and tables.

Wide characters take two columns and marks on other characters none.
"""

from __future__ import annotations

import os
import sys
import textwrap
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TextIO

_NO_WIDTH = ("Mn", "Me", "Cf")  # categories of marks and of signs that are not shown


def display_width(text: str) -> int:
    """Return the columns that a text takes on a terminal."""
    return sum(map(_width, text))


def padded(text: str, width: int) -> str:
    """Return a text with blanks up to a width."""
    return text + " " * (width - display_width(text))


def cut_right(text: str, width: int, mark: str = "…") -> str:
    """Return a text that is at most so wide: of a longer one the beginning and `mark`."""
    if display_width(text) <= width:
        return text
    return _as_much(text, width - display_width(mark)) + mark


def cut_left(text: str, width: int, mark: str = "…") -> str:
    """Return a text that is at most so wide: of a longer one `mark` and the end, as of a path."""
    if display_width(text) <= width:
        return text
    kept = _as_much(reversed(text), width - display_width(mark))
    return mark + kept[::-1]


def _as_much(characters: Iterable[str], width: int) -> str:
    kept = ""
    for character in characters:
        width -= _width(character)
        if width < 0:
            break
        kept += character
    return kept


def _width(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.category(character) in _NO_WIDTH:
        return 0
    if unicodedata.east_asian_width(character) in "WF":
        return 2
    return 1


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
        if width is None or _column_width(columns) <= width:
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


def _column_width(columns: Mapping[str, Sequence[str]]) -> int:
    """The characters of the widest line."""
    widths = [max(map(len, cells)) for cells in columns.values()]
    return sum(widths) + 2 * (len(widths) - 1)


# The widest that lines become, however wide the terminal is.
LINE_WIDTH = 100
_CODES = {"bold": "1", "red": "31", "green": "32", "yellow": "33"}


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream writes to a terminal, and not through a pipe or to a file."""
    try:
        return stream.isatty()
    except ValueError:  # it is closed
        return False


def width_of(stream: TextIO) -> int | None:
    """Return the characters of a line on the terminal that a stream writes to; None if it is not a terminal."""
    if not is_terminal(stream):
        return None
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return LINE_WIDTH
    # Some terminals report 0
    return columns or LINE_WIDTH


def shows_bars() -> bool:
    """Whether a progress bar can be drawn: lines and bar go to a terminal."""
    return is_terminal(sys.stdout) and is_terminal(sys.stderr)


def has_colours(stream: TextIO) -> bool:
    """Whether text to a stream may be coloured: a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def coloured(text: str, style: str, stream: TextIO) -> str:
    """Return a text as bold, red, green or yellow if the stream shows colours."""
    if not has_colours(stream):
        return text
    return f"\033[{_CODES[style]}m{text}\033[0m"


def wrapped(text: str, stream: TextIO) -> str:
    """Break the lines of a text between words, so that they fit a terminal; elsewhere they stay as they are."""
    columns = width_of(stream)
    if columns is None:
        return text
    width = max(min(columns, LINE_WIDTH), 20)
    lines = []
    for line in text.split("\n"):
        if len(line) <= width:
            lines.append(line)
            continue
        indent = line[: len(line) - len(line.lstrip())] + "  "
        # A path stays whole, to be copied
        lines += textwrap.wrap(
            line,
            width,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)
