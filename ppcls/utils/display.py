"""Text in columns of a terminal, where wide characters take two and marks on other characters none."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

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
