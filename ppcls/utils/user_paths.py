"""Expands paths that no shell has expanded: `~/data`, `$HOME/data`, `${SCRATCH}/data`."""

from __future__ import annotations

import os
import re

from ppcls.utils.errors import UserError

PathLike = str | os.PathLike[str]

_VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})")
_NOT_PATHS = ("pipe:", "http://", "https://")


def expanded(path: PathLike) -> str:
    """Return a path with the home folder for a leading `~` or `~user`, and with the values of environment variables.

    An address, a command behind `pipe:`, and a file whose own name has a `$` stay as they are.

    Raises:
        UserError: A variable is not set.
    """
    text = os.fspath(path)
    if text.startswith(_NOT_PATHS):
        return text
    if not os.path.lexists(text):
        text = _VARIABLE.sub(_value, text)
    # pathlib would also drop a trailing slash
    return os.path.expanduser(text)  # noqa: PTH111


def _value(variable: re.Match[str]) -> str:
    name = variable[1] or variable[2]
    if name not in os.environ:
        raise UserError(
            f"{variable.string}: the environment variable {name} is not set; set it, or write the path itself"
        )
    return os.environ[name]
