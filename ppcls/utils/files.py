"""Paths that users write, files that are whole or absent, and other people's files.

The second are written aside, synced and renamed. Of the third only regular files are read, up to a limit.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ppcls.utils.errors import expect
from ppcls.utils.logging import get_logger

PathLike = str | os.PathLike[str]
# A variable in a path that no shell has expanded
_VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})")
_NOT_PATHS = ("pipe:", "http://", "https://")
NOT_REGULAR = "it is not a regular file"
# Opening a pipe without a writer returns at once
_READ_ONLY = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_MOST_LEVELS = 255  # of folders in each other; Python calls itself for each level


def resolved(path: PathLike) -> Path:
    """Return the absolute path without links; links that lead in a circle stay."""
    # For a circle pathlib raises an error before Python 3.13
    return Path(os.path.realpath(path))


def make_folders(path: PathLike) -> None:
    """Make a folder and those that it lies in, unless they are there.

    Raises:
        OSError: It cannot be made, or lies too deep.
    """
    folder = Path(path)
    if len(folder.absolute().parts) > _MOST_LEVELS:
        text = f"more than {_MOST_LEVELS} folders in each other"
        raise OSError(errno.ENAMETOOLONG, text, str(path))
    folder.mkdir(parents=True, exist_ok=True)


def sha256_of(path: PathLike) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    # Python's lock is released for each block. With small blocks a thread waits for the lock longer than it computes.
    block = memoryview(bytearray(1 << 23))
    with Path(path).open("rb", buffering=0) as file:
        while size := file.readinto(block):
            digest.update(block[:size])
    return digest.hexdigest()


def sync_file(path: Path) -> None:
    """Wait until a file's bytes (or a folder's entries) are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def beside(folder: Path, what: str) -> Path:
    """Return the hidden neighbour of a file or folder: `.NAME.WHAT`."""
    whole = folder if folder.name else resolved(folder)  # `.` has no name of its own
    return whole.with_name(f".{whole.name}.{what}")


def require_place(path: PathLike) -> None:
    """Check that no file is where a folder is needed, before the work whose result is written to a path.

    Raises:
        UserError: A file is in the way.
    """
    nearest = Path(path).absolute().parent
    while not nearest.exists():
        nearest = nearest.parent
    expect(
        nearest.is_dir(),
        f"{path} cannot be made, because {nearest} is a file; give another place",
    )


def require_own(path: PathLike, mark: bytes) -> None:
    """Check that a file that is going to be replaced is one of this library.

    Args:
        path: The file, which need not exist.
        mark: Bytes that each such file has in its first kilobyte.

    Raises:
        UserError: Another file, or a folder, is there.
    """
    require_place(path)
    file = Path(path)
    is_own = not file.exists()
    if file.is_file():
        with file.open("rb") as opened:
            is_own = mark in opened.read(1024)
    expect(
        is_own,
        f"{path} is there already and was not written by this library; move it, or give another place",
    )


@contextlib.contextmanager
def folder_for(path: PathLike) -> Iterator[None]:
    """Make the folder of a file or folder, and delete it at the end if it is empty.

    Raises:
        UserError: A file is in the way.
    """
    require_place(path)
    missing = [folder for folder in Path(path).parents if not folder.exists()]
    make_folders(Path(path).parent)
    try:
        yield
    finally:
        for folder in missing:
            with contextlib.suppress(OSError):  # not empty, as a rule
                folder.rmdir()


def numbered(path: Path) -> Path:
    """Return a free name: `DLA34.1` for `DLA34`, `config.1.yaml` for `config.yaml`, or the next number."""
    stem, suffix = (path.name, "") if path.is_dir() else (path.stem, path.suffix)
    pattern = re.compile(re.escape(stem) + r"\.([1-9][0-9]*)" + re.escape(suffix))
    highest = 0
    for neighbour in path.absolute().parent.iterdir():
        match = pattern.fullmatch(neighbour.name)
        if match is not None:
            highest = max(highest, int(match[1]))
    return path.with_name(f"{stem}.{highest + 1}{suffix}")


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Make an empty folder to write to, and delete it at the end unless it has moved to its place.

    Args:
        path: The folder, such as `beside(folder, "new")`. What a killed process left there is deleted first.
    """
    shutil.rmtree(path, ignore_errors=True)
    make_folders(path.parent)
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def put_folder(new: Path, folder: Path) -> None:
    """Sync a finished folder and rename it to a place that is free.

    Raises:
        OSError: The place is taken by a folder that is not empty, or by a file.
    """
    for path in new.rglob("*"):
        sync_file(path)
    sync_file(new)
    new.rename(folder)
    sync_file(folder.parent)


def replace_folder(
    new: Path, folder: Path, discard: Callable[[Path], object] = shutil.rmtree
) -> None:
    """Put the finished folder `new` in the place of `folder`.

    The old one waits as `.NAME.old` until the new one stands, so a process killed in between loses neither.

    Args:
        new: The finished folder.
        folder: The place it gets.
        discard: Deletes the old folder.
    """
    old = beside(folder, "old")
    if folder.exists():
        if old.exists():  # of a process that was killed when `folder` stood already
            discard(old)
        folder.rename(old)
    put_folder(new, folder)
    if old.exists():
        discard(old)


@contextlib.contextmanager
def written_aside(
    path: PathLike, aside: Path | None = None, sync: bool = True
) -> Iterator[Path]:
    """Give a hidden neighbour of a file to write to; it takes the file's place if the block ends without an error.

    A reader sees the old bytes or the new ones, whenever the process ends.

    Args:
        path: The file; the folder that it lies in is made.
        aside: The neighbour; by default `.NAME.PROCESS`.
        sync: Whether the bytes are on the disk before the file takes its place, which costs milliseconds per file.
    """
    target = Path(path)
    if aside is None:
        aside = beside(target, str(os.getpid()))
    with folder_for(target):
        try:
            aside.unlink(missing_ok=True)  # what a killed process left, or a link
            with naming(target, aside):
                yield aside
                if sync:
                    sync_file(aside)
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
        if sync:
            sync_file(target.parent)


def write_atomically(path: PathLike, content: bytes, sync: bool = True) -> None:
    """Write or replace a file as `written_aside` does."""
    with written_aside(path, sync=sync) as aside:
        aside.write_bytes(content)


def write_beside_others(path: Path, content: bytes) -> None:
    """Write a file. An earlier one with other content is renamed first: `config.yaml` to `config.1.yaml`."""
    if not path.is_file() or path.read_bytes() == content:
        write_atomically(path, content)
        return
    kept = numbered(path)
    path.rename(kept)
    try:
        write_atomically(path, content)
    except BaseException:
        kept.rename(path)
        raise
    get_logger().info("%s is a new file; the earlier one is %s", path, kept.name)


@contextlib.contextmanager
def naming(path: PathLike, aside: PathLike | None = None) -> Iterator[None]:
    """Put the name of a file into an error that names none, such as that of a full disk, or that names `aside`."""
    try:
        yield
    except OSError as error:
        named = (str(error.filename), str(error.filename2))
        is_about = error.filename is None or str(aside) in named
        if error.errno is not None and is_about:
            error.filename, error.filename2 = str(path), None
        raise


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
    expect(
        name in os.environ,
        f"{variable.string}: the environment variable {name} is not set; set it, or write the path itself",
    )
    return os.environ[name]


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
        raise OSError(errno.EINVAL, NOT_REGULAR, str(path))
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
        descriptor = os.open(path, _READ_ONLY)
    except ValueError as error:  # a null character
        raise OSError(errno.EINVAL, "the name is impossible", str(path)) from error
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        raise OSError(errno.EINVAL, NOT_REGULAR, str(path)) from error  # a socket
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, NOT_REGULAR, str(path))


def is_file(path: str | Path) -> bool:
    """Whether a regular file is there; False for a name that no file can have, where pathlib raises an error."""
    with contextlib.suppress(OSError, ValueError):
        return stat.S_ISREG(Path(path).stat().st_mode)
    return False
