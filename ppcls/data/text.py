"""Text files that people and other programs write."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from ppcls.data.picture_files import read_file
from ppcls.utils.errors import UserError, expect, translated

LONGEST_LINE = 16_384
"""Characters of a line: a path has up to 4,096, and tables carry captions."""
# UTF-16 is full of the first; undecodable bytes become the others
_NOT_TEXT = re.compile("[\0\udc80-\udcff]")


def read_lines(path: str | Path) -> list[str]:
    r"""Read the lines of a UTF-8 file, ended by `\n` or `\r\n`; a byte order mark is skipped.

    Raises:
        UserError: The file cannot be opened, or a line is not UTF-8 or too long.
    """
    # Not splitlines(), which also cuts at characters that may stand in a file's name.
    lines = _read_text(path).split("\n")
    if lines[-1] == "":
        lines.pop()
    lines = [line.removesuffix("\r") for line in lines]
    if max(map(len, lines), default=0) > LONGEST_LINE:
        _refuse_long_line(path, lines)
    return lines


def _read_text(path: str | Path) -> str:
    with translated(
        OSError,
        lambda error: UserError(
            f"{path}: {error.strerror or error}; give a file that can be read"
        ),
    ):
        data = read_file(str(path))
    data = data.removeprefix(codecs.BOM_UTF8)
    text = data.decode("utf-8", errors="surrogateescape")
    wrong = _NOT_TEXT.search(text)
    if wrong:
        line = text.count("\n", 0, wrong.start()) + 1
        raise UserError(f"{path}:{line}: the line is not UTF-8; save the file as UTF-8")
    return text


def _refuse_long_line(path: str | Path, lines: list[str]) -> None:
    for number, line in enumerate(lines, 1):
        # Old Macintoshes ended lines so
        length = max(map(len, line.split("\r")))
        expect(
            length <= LONGEST_LINE,
            f"{path}:{number}: the line has {length:,} characters, more than {LONGEST_LINE:,}; give a text file of "
            "shorter lines",
        )
