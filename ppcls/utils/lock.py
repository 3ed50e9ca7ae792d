"""A lock between processes, which the system releases when the holder ends for any reason.

The lock is on a separate file beside the thing that it protects. While it is held, the file names the holder;
afterwards it is deleted, unless the holder was killed. A forked child (a worker of a data loader) does not inherit it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import socket
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike, beside, folder_for, require_place, resolved
from ppcls.utils.logging import get_logger

POLL_SECONDS = 0.5
wait = time.sleep  # replaced in tests

_LONGEST_COMMAND = 200  # characters; with a list of overrides a command can be a page
_RECORD_BYTES = 1 << 16
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
# The holder writes to the file, which must not be one behind a link that somebody else has put there.
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_held: set[_LockFile] = set()


class _Busy(Exception):
    """Another process holds the lock; the text says which."""


class _NoLocks(Exception):
    """The place has no locks, or nothing can be written there."""


@contextlib.contextmanager
def locked(path: Path, doing: str, remedy: str | None = None) -> Iterator[None]:
    """Hold the lock of a file during a `with` block.

    If the file system has no locks, or the file cannot be made because the place is read-only, the caller continues
    without one; in the first case a warning says so. The lock is not reentrant: a thread that holds it and requests it
    again is refused, or waits for ever.

    Args:
        path: The file; its folder exists. It is made, and deleted at the end. `files.beside(thing, "lock")` is the
            usual name.
        doing: What the caller does and where, for messages of other processes: `training into output/DLA34` gives
            `process 4711 is training into output/DLA34`.
        remedy: For long work: what the user can do if another process holds the lock, for the end of the error.
            Without a remedy the caller waits.

    Raises:
        UserError: Another process (or thread) holds the lock, and there is a remedy; or the file is a link.
        OSError: The file cannot be made or locked for another reason.
    """
    file = None
    with contextlib.suppress(_NoLocks):
        file = _acquire(path, remedy)
    try:
        if file is not None:
            file.write_record(doing)
        yield
    finally:
        if file is not None:
            file.release()


@contextlib.contextmanager
def claimed(target: PathLike, doing: str, remedy: str | None = None) -> Iterator[None]:
    """Hold the lock of a file or folder that is written, as `locked` does. The lock is beside it.

    Args:
        target: The file or folder, which need not exist. Its parent folder is made, and deleted at the end if nothing
            has been written there.
        doing: What the caller does to it, such as `exporting into`.
        remedy: As for `locked`.

    Raises:
        UserError: A file is in the way, or as for `locked`.
    """
    place = resolved(target)  # one lock for every path of the same place
    require_place(target)  # by the name that the user gave
    with folder_for(place), locked(beside(place, "lock"), f"{doing} {target}", remedy):
        yield


def is_held(target: PathLike) -> bool:
    """Whether a process holds the lock of a file or folder that `claimed` takes; nothing is changed.

    Args:
        target: The file or folder.
    """
    path = beside(resolved(target), "lock")
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_LINKS)
    except OSError:  # there is none, as a rule
        return False
    try:
        return not _lock(descriptor)
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)


def _acquire(path: Path, remedy: str | None) -> _LockFile:
    announced = False
    while True:
        try:
            return _take(path)
        except _Busy as busy:
            if remedy is not None:
                raise UserError(f"{busy}; {remedy}") from None
            if not announced:
                get_logger().info("%s; waiting for it", busy)
                announced = True
        wait(POLL_SECONDS)


def _take(path: Path) -> _LockFile:
    while True:
        file = _LockFile(path)
        try:
            if not file.lock():
                raise _Busy(_sentence(file.read_record(), path))
            if file.is_current():
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # its holder has deleted it since it was opened


class _LockFile:
    """An open file that can be locked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = self._open()
        _held.add(self)

    def _open(self) -> int:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _NO_LINKS, 0o666)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise UserError(_not_a_lock(self._path)) from error
            if error.errno not in _READ_ONLY:
                raise
            descriptor = self._open_for_reading(error)
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_nlink > 1:
            os.close(descriptor)
            raise UserError(_not_a_lock(self._path))
        return descriptor

    def _open_for_reading(self, error: OSError) -> int:
        """Open another user's file, left by a killed process: it can be locked but not written.

        Args:
            error: Why it cannot be written.
        """
        if not os.access(self._path, os.R_OK):
            get_logger().debug("%s: not locked (%s)", self._path, error.strerror)
            raise _NoLocks from error
        return os.open(self._path, os.O_RDONLY | _NO_LINKS)

    @property
    def descriptor(self) -> int:
        """The open file's number."""
        assert self._descriptor is not None
        return self._descriptor

    def lock(self) -> bool:
        """Lock the file, unless another process has; return whether it is locked."""
        try:
            return _lock(self.descriptor)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            get_logger().warning(
                "%s: this file system has no locks (%s); do not start a second process that writes there",
                self._path.parent,
                error.strerror,
            )
            raise _NoLocks from error

    def is_current(self) -> bool:
        """Whether the path still means this file."""
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self.descriptor), self._path.stat())
        return False

    def write_record(self, doing: str) -> None:
        """Write down who holds the lock; without it the message is about `another process`."""
        record = {
            "doing": doing,
            "process": os.getpid(),
            "host": socket.gethostname(),
            "command": _command(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        with contextlib.suppress(OSError):
            os.ftruncate(self.descriptor, 0)
            os.lseek(self.descriptor, 0, os.SEEK_SET)
            os.write(self.descriptor, json.dumps(record).encode())

    def read_record(self) -> dict[str, Any]:
        """Return what the holder has written; empty if it has not yet."""
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        try:
            record = json.loads(os.read(self.descriptor, _RECORD_BYTES))
        except (ValueError, RecursionError):
            return {}
        return record if isinstance(record, dict) else {}

    def release(self) -> None:
        """Delete the file, then release the lock: a waiting process sees that the file is no longer current."""
        if self._descriptor is None:  # in a forked child
            return
        if sys.platform != "win32":
            with contextlib.suppress(OSError):
                self._path.unlink()
        self.close()
        if sys.platform == "win32":  # an open file cannot be deleted there
            with contextlib.suppress(OSError):
                self._path.unlink()

    def close(self) -> None:
        """Close the file, which releases a lock of this process, but not one of its parent."""
        _held.discard(self)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _not_a_lock(path: Path) -> str:
    return f"{path} is a link, or not a file, where this library keeps a lock; remove it and run again"


def _close_inherited() -> None:
    """Close the copies of the descriptors in a forked child, which would hold a lock after its holder has ended."""
    for file in list(_held):
        file.close()


def _command() -> str:
    program = Path(sys.argv[0]) if sys.argv else Path(sys.executable)
    name = program.parent.name if program.name == "__main__.py" else program.name
    command = shlex.join([name, *sys.argv[1:]])
    if len(command) > _LONGEST_COMMAND:
        return command[: _LONGEST_COMMAND - 3] + "..."
    return command


def _sentence(record: dict[str, Any], path: Path) -> str:
    """Return `process 4711 is training into output/DLA34 (ppcls train ..., since 2026-11-29 12:30:00)`."""
    if "process" not in record or "doing" not in record:
        return f"another process is using {path.parent} (lock {path.name})"
    host = record.get("host")
    where = f" on {host}" if host != socket.gethostname() else ""
    return (
        f"process {record['process']}{where} is {record['doing']} ({record.get('command')}, since "
        f"{record.get('since')})"
    )


if sys.platform == "win32":
    import msvcrt

    # Beyond the record, because a locked byte cannot be read there
    _LOCKED_BYTE = 1 << 30

    def _lock(descriptor: int) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    os.register_at_fork(after_in_child=_close_inherited)

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
