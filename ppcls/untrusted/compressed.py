"""Compressed files of unknown origin, which may hold any number of bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Any

from ppcls.untrusted.refusals import Refused

DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What decompressing raises on damaged data."""
_OPENERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b\x08": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
HEAD_BYTES = 6
"""First bytes of a file that tell how it is compressed."""
# Pictures are compressed already: an archive of them shrinks by a little
_FREE = 16 * 2**20
_MOST_TIMES = 20


def is_compressed(head: bytes) -> bool:
    """Whether a file that begins with `head` is compressed."""
    return head.startswith(tuple(_OPENERS))


class Decompressed:
    """The content of a file that may be compressed by gzip, bzip2 or xz.

    Args:
        stream: A binary file that is read from where it stands.

    Attributes:
        is_compressed: Whether it is.
    """

    def __init__(self, stream: Any) -> None:
        self._stored = _Counted(stream)
        buffered = io.BufferedReader(self._stored, 1 << 16)
        self._content: Any = buffered
        self._size = 0
        head = buffered.peek(HEAD_BYTES)
        for magic, opener in _OPENERS.items():
            if head.startswith(magic):
                self._content = opener(buffered)
        self.is_compressed = self._content is not buffered

    def read(self, size: int) -> bytes:
        """Read `size` bytes, or fewer at the end.

        Raises:
            Refused: There is more of it than the compressed file can be expected to hold.
            Exception: One of `DAMAGE`.
        """
        data = self._content.read(size)
        self._size += len(data)
        if self.is_compressed and self._size > _FREE + _MOST_TIMES * self._stored.size:
            raise Refused(
                f"{self._size:,} bytes where {self._stored.size:,} are stored"
            )
        return data


class _Counted(io.RawIOBase):
    """Passes a file on and counts its bytes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer)) or b""
        buffer[: len(data)] = data
        self.size += len(data)
        return len(data)
