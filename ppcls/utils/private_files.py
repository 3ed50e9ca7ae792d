"""Files in a folder that only this user can write to, in a place that several users may share.

Another user of a shared cache could put a link where a partial download is expected, so that the download overwrites
the file behind the link. Here nobody else can put anything, and links are not followed.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO

from ppcls.utils.errors import expect

# On Windows, where these are missing, only administrators can make links.
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)


def private_folder(parent: Path) -> Path:
    """Make and return this user's folder in `parent`, which exists.

    Raises:
        UserError: Another user has made it, or it is a file or a link.
        OSError: It cannot be made or written to.
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = parent / f".downloads-{user}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    state = folder.lstat()
    is_ours = stat.S_ISDIR(state.st_mode)
    if is_ours:
        # A new file shows the owner. Some file systems show another one than the user of this process.
        with tempfile.TemporaryFile(dir=folder) as file:
            is_ours = os.fstat(file.fileno()).st_uid == state.st_uid
    expect(
        is_ours,
        f"{folder} is a link, a file, or another user's folder; remove it and run again, or set PPCLS_HOME to a "
        "folder of your own",
    )
    return folder


def size_of(path: Path) -> int:
    """Return the bytes of a file; 0 where there is none, or one that has another name elsewhere."""
    try:
        state = path.lstat()
    except FileNotFoundError:
        return 0
    if not stat.S_ISREG(state.st_mode) or state.st_nlink > 1:
        return 0
    return state.st_size


def create(path: Path) -> BinaryIO:
    """Open a new file for writing. What has its name is deleted, not written to."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS | _BINARY
    return os.fdopen(os.open(path, flags, 0o666), "wb")


def append(path: Path) -> BinaryIO:
    """Open a file for writing at its end.

    Raises:
        OSError: It is missing or is a link.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | _NO_LINKS | _BINARY)
    return os.fdopen(descriptor, "ab")


def read_note(path: Path, most_bytes: int = 1000) -> str:
    """Return a short ASCII text that this library wrote; empty where there is none, or anything else."""
    if not 0 < size_of(path) <= most_bytes:
        return ""
    content = path.read_bytes()
    return content.decode() if content.isascii() else ""
