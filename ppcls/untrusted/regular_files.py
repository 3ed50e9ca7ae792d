"""Reading whole files that other people name: regular files only, up to a limit."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_regular_file(path: str | Path, limit: int) -> bytes:
    """Read a whole file.

    Pipes and devices never end, and opening a pipe waits for a writer; neither is read.

    Args:
        path: The file.
        limit: The most bytes that it may hold.

    Raises:
        OSError: It cannot be opened, is not a regular file, or is larger.
    """
    with open_regular_file(path) as file:
        content = file.read(limit + 1)
    if content is None:  # a file of the kernel that one would wait for
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    if len(content) > limit:
        text = f"it is larger than {limit // 1_000_000} MB"
        raise OSError(errno.EFBIG, text, str(path))
    return content


def open_regular_file(path: str | Path) -> BinaryIO:
    """Open a file for reading, and never wait for one that is a pipe.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except ValueError as error:  # a null character
        raise OSError(errno.EINVAL, "the name is impossible", str(path)) from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def is_file(path: str | Path) -> bool:
    """Whether a regular file is there; False for a name that no file can have, where pathlib raises an error."""
    with contextlib.suppress(OSError, ValueError):
        return stat.S_ISREG(Path(path).stat().st_mode)
    return False
