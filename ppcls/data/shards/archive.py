"""Samples of one shard, read through the package webdataset: a file, an address, or the output of a command.

The convention is WebDataset's: what stands together under one name up to its first dot is a sample, `KEY.jpg` its
picture and `KEY.cls` its label, a whole number as text.
"""

from __future__ import annotations

import contextlib
import tarfile
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from ppcls.data.picture_files import SUFFIXES
from ppcls.utils.errors import UserError

_DAMAGE = (OSError, EOFError, ValueError, tarfile.TarError, zlib.error)
_END = bytes(1024)  # two blocks of zeros
# Exit codes of curl, a shell and a command whose reader has gone
_LEFT_EARLY = (0, 23, 141, -13)


class Sample(NamedTuple):
    """A picture as it lies in a shard: its number in the data, its name for messages, its bytes, its label."""

    number: int
    path: str
    data: bytes
    label: int


def webdataset_tools() -> tuple[Any, Any, Any, Any]:
    """Webdataset's gopen, tar_file_iterator and group_by_keys, and braceexpand.

    Raises:
        UserError: the package is not installed.
    """
    try:
        from braceexpand import braceexpand
        from webdataset.gopen import gopen
        from webdataset.tariterators import group_by_keys, tar_file_iterator
    except ImportError as error:
        raise UserError(
            f"shards are read by the package webdataset, which is missing here ({error}); install it: "
            "pip install webdataset"
        ) from error
    return gopen, tar_file_iterator, group_by_keys, braceexpand


def samples_of(address: str, shard: int = 0) -> Iterator[Sample]:
    """The samples of a shard in their order; `shard` is its number in the data, from which their indices count.

    Raises:
        UserError: the shard cannot be read, is damaged or incomplete, or a sample lacks its picture or label.
    """
    gopen, tar_file_iterator, group_by_keys, _ = webdataset_tools()
    stream = None
    try:
        stream = _Watched(gopen(address))
        files = ({**file, "__url__": address} for file in tar_file_iterator(stream))
        for ordinal, sample in enumerate(group_by_keys(files)):
            path = f"{address}/{sample['__key__']}"
            yield Sample(
                index_of(shard, ordinal),
                path,
                _picture(sample, path),
                _label(sample, path),
            )
        stream.finish()
    except UserError:
        raise
    except _DAMAGE as error:
        raise UserError(
            f"{address}: cannot read the shard: {_reason(stream, error)}"
        ) from error
    finally:
        if stream is not None:
            stream.leave()


def index_of(shard: int, ordinal: int) -> int:
    """One number for the sample of a shard, which needs no other shard's count."""
    return (shard << 32) + ordinal


class _Watched:
    """Passes a stream on and remembers how it began and ended: a tar that is cut between members reads like a whole."""

    def __init__(self, stream: Any) -> None:
        self.stream, self._head, self._tail = stream, b"", b""

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size)
        self._head = self._head or data[:512]
        self._tail = (self._tail + data[-len(_END) :])[-len(_END) :]
        return data

    def finish(self) -> None:
        """Reads what is left behind the archive's end, and raises what is wrong with it."""
        while self.read(1 << 20):
            pass
        self.stream.close()  # raises if a command has failed
        # Another head is of a compressed file
        if self._head[257:262] == b"ustar" and self._tail != _END:
            raise tarfile.ReadError("unexpected end of data")

    def leave(self) -> None:
        """Closes the stream, wherever reading stopped; a command's complaint about that is none."""
        with contextlib.suppress(OSError):
            self.stream.close()


def _reason(stream: Any, error: Exception) -> str:
    process = getattr(getattr(stream, "stream", None), "proc", None)
    if process is not None:
        stream.leave()
        code = process.wait()
        if code not in _LEFT_EARLY:
            return f"the command that fetches it ended with code {code}; look whether the address is right and answers"
    if isinstance(error, tarfile.ReadError) and any(
        word in str(error) for word in ("unexpected end", "empty file")
    ):
        return "it is truncated; copy or pack it again"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f': {error.filename}' if error.filename else ''}; correct the address"
    said = " ".join(str(error.args[0]).split()) if error.args else type(error).__name__
    return f"{said}; give a tar file in the WebDataset convention"


def _picture(sample: Any, path: str) -> bytes:
    for suffix, data in sample.items():
        if f".{suffix.rpartition('.')[2]}" in SUFFIXES:
            return data
    raise UserError(
        f"{path}: the sample has no picture, only {_parts(sample)}; write it as KEY.jpg"
    )


def _label(sample: Any, path: str) -> int:
    if "cls" not in sample:
        raise UserError(
            f"{path}: the sample has no label, only {_parts(sample)}; write it as KEY.cls"
        )
    text = sample["cls"][:20].strip()
    if not text.isdigit():
        raise UserError(
            f"{path}.cls: the label {text.decode(errors='replace')!r} is no whole number; write one from 0"
        )
    return int(text)


def _parts(sample: Any) -> str:
    return ", ".join(name for name in sample if not name.startswith("__"))
