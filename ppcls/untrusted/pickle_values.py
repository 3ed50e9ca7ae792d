"""The values in a pickle: numbers, text and bytes, each after its code."""

from __future__ import annotations

import codecs
import pickle
import struct
from collections.abc import Callable
from typing import Any

from ppcls.untrusted.limits import Stream
from ppcls.untrusted.refusals import permit, require

# 1,024 bits: more than any state of a random generator has. Arithmetic on long numbers takes more than linear time.
_MAX_LONG_BYTES = 128
_MAX_DIGITS = 400


def unsigned(stream: Stream, size: int) -> int:
    """Reads a whole number of `size` bytes, the lowest byte first."""
    return int.from_bytes(stream.read(size), "little")


def _signed(stream: Stream, size: int) -> int:
    return int.from_bytes(stream.read(size), "little", signed=True)


def _long(stream: Stream, size: int) -> int:
    stream.check(size)
    permit(size <= _MAX_LONG_BYTES, f"a number of {size:,} bytes")
    return _signed(stream, size)


def read_number(stream: Stream) -> bytes:
    """Reads a number that is written in digits, on a line of its own."""
    line = stream.read_line()
    permit(len(line) <= _MAX_DIGITS, f"a number of {len(line):,} digits")
    return line


def _int(stream: Stream) -> int | bool:
    line = read_number(stream)
    # How protocol 0 writes False and True
    if line in (b"00", b"01"):
        return line == b"01"
    return int(line)


def _decimal_long(stream: Stream) -> int:
    return int(read_number(stream).removesuffix(b"L"))


def _float(stream: Stream) -> float:
    value: float = struct.unpack(">d", stream.read(8))[0]
    return value


def _quoted(stream: Stream) -> str:
    line = stream.read_line()
    require(
        len(line) >= 2 and line[:1] in (b"'", b'"') and line[-1:] == line[:1],
        "a text without quotation marks",
    )
    return codecs.escape_decode(line[1:-1])[0].decode()


def _text(size: int) -> Callable[[Stream], str]:
    """A reader of text after its length, which has `size` bytes."""
    return lambda stream: stream.read(unsigned(stream, size)).decode(
        "utf-8", "surrogatepass"
    )


def _old_text(size: int) -> Callable[[Stream], str]:
    """A reader of the text of Python 2, which is read as UTF-8."""
    return lambda stream: stream.read(unsigned(stream, size)).decode()


def _bytes(size: int) -> Callable[[Stream], bytes]:
    """A reader of bytes after their count, which has `size` bytes."""
    return lambda stream: stream.read(unsigned(stream, size))


def _mutable_bytes(stream: Stream) -> bytearray:
    return bytearray(stream.read(unsigned(stream, 8)))


VALUES: dict[bytes, Callable[[Stream], Any]] = {
    pickle.NONE: lambda stream: None,
    pickle.NEWTRUE: lambda stream: True,
    pickle.NEWFALSE: lambda stream: False,
    pickle.INT: _int,
    pickle.BININT: lambda stream: _signed(stream, 4),
    pickle.BININT1: lambda stream: unsigned(stream, 1),
    pickle.BININT2: lambda stream: unsigned(stream, 2),
    pickle.LONG: _decimal_long,
    pickle.LONG1: lambda stream: _long(stream, unsigned(stream, 1)),
    pickle.LONG4: lambda stream: _long(stream, _signed(stream, 4)),
    pickle.FLOAT: lambda stream: float(read_number(stream)),
    pickle.BINFLOAT: _float,
    pickle.STRING: _quoted,
    pickle.BINSTRING: _old_text(4),
    pickle.SHORT_BINSTRING: _old_text(1),
    pickle.UNICODE: lambda stream: stream.read_line().decode("raw-unicode-escape"),
    pickle.BINUNICODE: _text(4),
    pickle.SHORT_BINUNICODE: _text(1),
    pickle.BINUNICODE8: _text(8),
    pickle.BINBYTES: _bytes(4),
    pickle.SHORT_BINBYTES: _bytes(1),
    pickle.BINBYTES8: _bytes(8),
    pickle.BYTEARRAY8: _mutable_bytes,
    pickle.EMPTY_LIST: lambda stream: [],
    pickle.EMPTY_DICT: lambda stream: {},
    pickle.EMPTY_TUPLE: lambda stream: (),
}
