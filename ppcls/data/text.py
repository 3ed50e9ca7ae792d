"""Text files that people and other programs write."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from ppcls.utils.errors import UserError

# UTF-16 is full of the first; undecodable bytes become the others
_NOT_TEXT = re.compile("[\0\udc80-\udcff]")


def read_lines(path: str | Path) -> list[str]:
    r"""Lines of a UTF-8 file, ended by `\n` or `\r\n`; a byte order mark is passed over.

    Raises:
        UserError: the file cannot be opened, or a line is not UTF-8.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(
            f"{path}: {error.strerror or error}; give a file that can be read"
        ) from error
    data = data[len(codecs.BOM_UTF8) :] if data.startswith(codecs.BOM_UTF8) else data
    text = data.decode("utf-8", errors="surrogateescape")
    wrong = _NOT_TEXT.search(text)
    if wrong:
        line = text.count("\n", 0, wrong.start()) + 1
        raise UserError(f"{path}:{line}: the line is not UTF-8; save the file as UTF-8")
    # Not splitlines(), which also cuts at characters that may stand in a file's name.
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line[:-1] if line.endswith("\r") else line for line in lines]
