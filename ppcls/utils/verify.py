"""Check that a file is the expected one. Its digest is noted, so that the file is read only once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ppcls.utils.files import sha256_of, write_atomically
from ppcls.utils.logging import get_logger
from ppcls.utils.private_files import private_folder, read_note

# No weights of a classifier come near it; a server that sends without end is stopped there.
MOST_BYTES = 4 << 30


@dataclass(frozen=True)
class Expected:
    """What is known of a file. Faults are parts of a sentence, and empty if there are none.

    Attributes:
        sha256_prefix: The beginning of its SHA-256 in lower-case hexadecimal; empty if it is not known.
        size: Its number of bytes; None if it is not known.
    """

    sha256_prefix: str
    size: int | None

    @property
    def most_bytes(self) -> int:
        """The largest number of bytes that it can have."""
        return MOST_BYTES if self.size is None else self.size

    @property
    def description(self) -> str:
        """What is known of it, in parentheses behind a blank; empty if nothing is."""
        facts = []
        if self.size is not None:
            facts.append(f"{self.size:,} bytes")
        if self.sha256_prefix:
            facts.append(f"SHA-256 begins with {self.sha256_prefix}")
        return f" ({', '.join(facts)})" if facts else ""

    def size_fault(self, size: int) -> str:
        """Return what is wrong with a number of bytes."""
        if self.size is not None and size != self.size:
            return f"the file has {size:,} bytes, but {self.size:,} are expected"
        if size == 0:
            return "the file is empty"
        if size > self.most_bytes:
            return f"the file has {size:,} bytes, more than the limit of {self.most_bytes:,}"
        return ""

    def fault(self, path: Path, digest: str) -> str:
        """Return what is wrong with a file that has this digest."""
        fault = self.size_fault(path.stat().st_size)
        if fault:
            return fault
        wanted = self.sha256_prefix
        if not digest.startswith(wanted):
            return f"the file's SHA-256 begins with {digest[: len(wanted)]}, but {wanted} is expected"
        return ""

    def noted_fault(self, path: Path) -> str:
        """Return what is wrong with a file, which is read only if it has changed since its digest was noted."""
        if not os.access(path.parent, os.W_OK):
            return self.fault(path, sha256_of(path))
        note = read_note(private_folder(path.parent) / _note_name(path))
        noted, _, state = note.partition(" ")
        if state == _state(path) and not self.fault(path, noted):
            return ""
        digest = sha256_of(path)
        fault = self.fault(path, digest)
        if fault:
            return fault
        if noted not in ("", digest):
            get_logger().warning(
                "%s has other content than when it was checked before", path
            )
        note_digest(path, digest)
        return ""


def note_digest(path: Path, digest: str) -> None:
    """Write down a file's digest, and what changes when the file does."""
    note = private_folder(path.parent) / _note_name(path)
    write_atomically(note, f"{digest} {_state(path)}".encode())


def _note_name(path: Path) -> str:
    return f"{path.name}.sha256"


def _state(path: Path) -> str:
    """Return what changes with a file: anybody can set `st_mtime_ns` back, but not `st_ctime_ns`."""
    state = path.stat()
    numbers = (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
    return " ".join(map(str, numbers))
