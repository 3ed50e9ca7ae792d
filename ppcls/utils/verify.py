"""Whether a file is the expected one; its digest is noted beside it, so that the file is read once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ppcls.utils.files import beside, sha256_of, write_atomically


@dataclass(frozen=True)
class Expected:
    """What is known of a file. What is wrong with one is said as a part of a sentence; empty if nothing is.

    Attributes:
        sha256_prefix: Beginning of its SHA-256 in lower hexadecimal; empty if it is not known.
        size: Its bytes; None if they are not known.
    """

    sha256_prefix: str
    size: int | None

    def size_fault(self, size: int) -> str:
        """What is wrong with a number of bytes."""
        return (
            ""
            if self.size in (None, size)
            else f"the file has {size:,} bytes, but {self.size:,} are expected"
        )

    def fault(self, path: Path, digest: str) -> str:
        """What is wrong with a file that has this digest."""
        fault = self.size_fault(path.stat().st_size)
        wanted = self.sha256_prefix
        if fault or digest.startswith(wanted):
            return fault
        return f"the file's SHA-256 begins with {digest[: len(wanted)]}, but {wanted} is expected"

    def noted_fault(self, path: Path) -> str:
        """The same for a file that is read only if it has changed since its digest was noted."""
        note = beside(path, "sha256")
        digest, _, state = (note.read_text() if note.is_file() else "").partition(" ")
        is_noted = state == _state(path)
        if not is_noted:
            digest = sha256_of(path)
        fault = self.fault(path, digest)
        # Else it is read every time
        if not (fault or is_noted) and os.access(path.parent, os.W_OK):
            note_digest(path, digest)
        return fault


def note_digest(path: Path, digest: str) -> None:
    """Notes a file's digest, and what changes when the file does, in a hidden file beside it."""
    write_atomically(beside(path, "sha256"), f"{digest} {_state(path)}".encode())


def _state(path: Path) -> str:
    state = path.stat()
    return f"{state.st_size} {state.st_mtime_ns}"
