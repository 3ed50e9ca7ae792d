"""Tar archives of unknown origin, read from front to back.

Python's `tarfile` is not used for them: a header may make it read any number of bytes into memory, recurse, or search
for minutes (CVE-2024-6232, CVE-2025-8194). Here a header has a size that is known beforehand. Read are ustar and pax
(POSIX.1-2001, pax, "ustar Interchange Format") and the long names of GNU tar; sparse files are refused.
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from ppcls.untrusted.refusals import Damaged, permit, require, shown

BLOCK = 512
MOST_HEADER_BYTES = 64 * 1024
"""Bytes of a pax header, or of a long name with what surrounds it."""
MOST_NAME_BYTES = 4096
_MOST_RECORDS = 64  # of a pax header; archivers write about 10
_MOST_HEADERS = 8  # before one member
_MOST_BYTES = 2**50  # of a member
_END = bytes(BLOCK)
# Name, size, checksum, type, magic, prefix
_HEADER = struct.Struct("100s 24x 12s 12x 8s c 100x 6s 82x 155s 12x")
_CHECKSUM = slice(148, 156)
_SIZE = re.compile("[0-9]{1,19}")  # of a pax header
_FILES = (b"0", b"\0", b"7")
_WITHOUT_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")  # links, devices, folders, pipes
_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK, _SPARSE = b"x", b"g", b"L", b"K", b"S"


@dataclass(frozen=True)
class Member:
    """A member of an archive.

    Attributes:
        name: Its path as it is stored.
        size: Its bytes.
        is_file: Whether it is a regular file, and not a link, a folder or a device.
    """

    name: str
    size: int
    is_file: bool


class TarStream:
    """The members of an uncompressed tar, in their order.

    Args:
        stream: Has `read(size)`, which gives fewer bytes at the end only.
        seek: Whether data that nobody reads is passed over by `stream.seek`.
    """

    def __init__(self, stream: Any, seek: bool = False) -> None:
        self._stream = stream
        self._seek = seek
        self._left = 0  # bytes of the current member that were not read
        self._padding = 0

    def __iter__(self) -> Iterator[Member]:
        """Yield the members; what is left of a member's content is passed over when the next one is asked for.

        Raises:
            Damaged: A header is damaged, or the archive ends within one or without an end mark.
            Refused: A member is a sparse file.
        """
        while (member := self._next()) is not None:
            yield member

    def content(self) -> IO[bytes]:
        """The content of the member that came last."""
        return io.BufferedReader(_Content(self), 1 << 16)

    def read(self) -> bytes:
        """Read all of the content of the member that came last.

        Raises:
            Damaged: The archive ends within it.
        """
        parts = []
        # A piece at a time: a size that is only claimed takes no memory
        while self._left:
            parts.append(self.read_some(1 << 20))
            require(parts[-1], CUT)
        return b"".join(parts)

    def read_some(self, size: int) -> bytes:
        """Read up to `size` bytes of the content of the member that came last."""
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        return data

    def _next(self) -> Member | None:
        name, size = "", None
        for _ in range(_MOST_HEADERS):
            header = self._next_header()
            if header is None:
                return None
            if header.kind == _PAX:
                records = _records(self._extra(header))
                name = records.get("path", name)
                size = _stated_size(records, size)
            elif header.kind == _LONG_NAME:
                name = _text(self._extra(header).rstrip(b"\0"))
            elif header.kind in (_PAX_GLOBAL, _LONG_LINK):
                self._extra(header)
            else:
                return self._member(header, name, size)
        raise Damaged(f"more than {_MOST_HEADERS} headers before one member")

    def _next_header(self) -> _Header | None:
        """Read the header behind the current member; None if the end mark is there."""
        self._pass_over()
        block = self._stream.read(BLOCK)
        require(len(block) == BLOCK, CUT)
        if block == _END:
            return None
        header = _parse(block)
        permit(header.kind != _SPARSE, f"a sparse file ({shown(header.name)})")
        return header

    def _member(self, header: _Header, name: str, size: int | None) -> Member:
        name = name or header.name
        size = header.size if size is None else size
        require(len(name) <= MOST_NAME_BYTES, f"a name of {len(name):,} characters")
        require(size <= _MOST_BYTES, f"a member of {size:,} bytes")
        # Before POSIX, a trailing slash in the name marked a folder
        is_file = header.kind in _FILES and not name.endswith("/")
        self._begin(0 if header.kind in _WITHOUT_DATA else size)
        return Member(name.rstrip("/"), size, is_file)

    def _extra(self, header: _Header) -> bytes:
        """The content of a header's header."""
        is_short = header.size <= MOST_HEADER_BYTES
        require(is_short, f"a header of {header.size:,} bytes")
        self._begin(header.size)
        return self.read()

    def _begin(self, size: int) -> None:
        self._left = size
        self._padding = -size % BLOCK

    def _pass_over(self) -> None:
        """Go to the end of the current member."""
        left = self._left + self._padding
        self._begin(0)
        if self._seek:
            self._stream.seek(left, io.SEEK_CUR)
            return
        while left:
            passed = len(self._stream.read(min(left, 1 << 16)))
            require(passed > 0, CUT)
            left -= passed


CUT = "it is cut off"
"""What is wrong with an archive that ends too early."""


class _Content(io.RawIOBase):
    """The content of a member as a file."""

    def __init__(self, tar: TarStream) -> None:
        self._tar = tar

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._tar.read_some(len(buffer))
        if not data and self._tar._left:
            raise Damaged(CUT)
        buffer[: len(data)] = data
        return len(data)


@dataclass(frozen=True)
class _Header:
    name: str
    size: int
    kind: bytes


def _parse(block: bytes) -> _Header:
    name, size, checksum, kind, magic, prefix = _HEADER.unpack(block)
    # The checksum counts as eight blanks
    total = sum(block) - sum(block[_CHECKSUM]) + 8 * 32
    require(
        checksum.strip(b" \0").lstrip(b"0") == b"%o" % total,
        "a header's checksum is wrong",
    )
    path = name.partition(b"\0")[0]
    folder = prefix.partition(b"\0")[0]
    if folder and magic == b"ustar\0":
        path = folder + b"/" + path
    return _Header(_text(path), _number(size), kind)


def _number(field: bytes) -> int:
    """A number of a header, in octal digits, or, by GNU tar, in binary."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip()
    number = -1
    with contextlib.suppress(ValueError):
        number = int(digits or b"0", 8)
    require(number >= 0, f"a header has {shown(repr(field))} where a number stands")
    return number


def _records(content: bytes) -> dict[str, str]:
    """The records of a pax header, `LENGTH KEY=VALUE` on a line each."""
    records: dict[str, str] = {}
    place = count = 0
    while place < len(content):
        count += 1
        few = count <= _MOST_RECORDS
        require(few, f"a pax header of more than {_MOST_RECORDS} records")
        digits, blank, _ = content[place : place + 8].partition(b" ")
        require(
            blank and digits.isdigit() and int(digits) > len(digits) + 1,
            "a pax header without lengths",
        )
        end = place + int(digits)
        require(end <= len(content), "a pax header without lengths")
        key, _, value = content[place + len(digits) + 1 : end - 1].partition(b"=")
        records[_text(key)] = _text(value)
        place = end
    return records


def _stated_size(records: dict[str, str], before: int | None) -> int | None:
    permit(
        not any(key.startswith("GNU.sparse") for key in records),
        f"a sparse file ({shown(records.get('path', ''))})",
    )
    size = records.get("size")
    if size is None:
        return before
    is_number = _SIZE.fullmatch(size) is not None
    require(is_number, f"a pax header states the size {shown(size)}")
    return int(size)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
