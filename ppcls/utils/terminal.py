"""What a stream can show: its width, and colours."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TextIO

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
