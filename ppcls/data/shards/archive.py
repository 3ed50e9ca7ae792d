"""Samples of one shard: a file, an address, or the output of a command.

The convention is WebDataset's: consecutive members with the same name up to the first dot are one sample, `KEY.jpg` its
picture and `KEY.cls` its label, a whole number as text.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from ppcls.data.picture_files import SUFFIXES
from ppcls.data.shards.streams import DAMAGE, failure_of, open_stream, reason_of
from ppcls.untrusted import compressed
from ppcls.untrusted.refusals import Damaged, Refused, shown
from ppcls.untrusted.tar_stream import BLOCK, CUT, TarStream
from ppcls.utils.errors import UserError

_DAMAGE = (*DAMAGE, *compressed.DAMAGE, Damaged, Refused)
_END_MARK = bytes(2 * BLOCK)
_METADATA = re.compile(r"__[^/]*__($|/)")
_LABEL = "cls"
_LABEL_BYTES = 20
_SHOWN_PARTS = 5


class Sample(NamedTuple):
    """A picture as it lies in a shard: its number in the data, its name for messages, its bytes, its label."""

    number: int
    path: str
    data: bytes
    label: int


def samples_of(address: str, shard: int = 0) -> Iterator[Sample]:
    """Yield the samples of a shard in their order; `shard` is its number, from which their indices count.

    Raises:
        UserError: The shard cannot be read, is damaged or incomplete, or a sample lacks its picture or label.
    """
    stream = None
    try:
        stream = open_stream(address)
        tar = _Watched(compressed.Decompressed(stream))
        for ordinal, sample in enumerate(_groups(TarStream(tar))):
            path = f"{address}/{shown(sample.key)}"
            picture = sample.picture(path)
            yield Sample(index_of(shard, ordinal), path, picture, sample.label(path))
        tar.finish()
        stream.close()  # raises if a command has failed
    except UserError:
        raise
    except _DAMAGE as error:
        reason = _reason(stream, error)
        raise UserError(f"{address}: cannot read the shard: {reason}") from error
    finally:
        # A command complains if its reader leaves early, which is not an error
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def index_of(shard: int, ordinal: int) -> int:
    """The index of a sample, which needs no other shard's count."""
    return (shard << 32) + ordinal


@dataclass
class _Group:
    """The members of one sample: their suffixes, and the content of those that are read."""

    key: str
    suffixes: dict[str, bytes | None] = field(default_factory=dict)

    def add(self, suffix: str, tar: TarStream) -> None:
        if suffix in self.suffixes:
            raise Damaged(f"{shown(self.key)}.{shown(suffix)} is in it twice")
        is_read = suffix == _LABEL or _is_picture(suffix)
        self.suffixes[suffix] = tar.read() if is_read else None

    def picture(self, path: str) -> bytes:
        for suffix, data in self.suffixes.items():
            if data is not None and _is_picture(suffix):
                return data
        raise UserError(
            f"{path}: the sample has no picture, only {self._members()}; write it as KEY.jpg"
        )

    def label(self, path: str) -> int:
        stored = self.suffixes.get(_LABEL)
        if stored is None:
            raise UserError(
                f"{path}: the sample has no label, only {self._members()}; write it as KEY.cls"
            )
        text = stored[:_LABEL_BYTES].strip()
        if not text.isdigit():
            raise UserError(
                f"{path}.cls: the label {text.decode(errors='replace')!r} is not a whole number; write one from 0"
            )
        return int(text)

    def _members(self) -> str:
        names = [shown(suffix) for suffix in self.suffixes]
        more = ["..."] if len(names) > _SHOWN_PARTS else []
        return ", ".join([*names[:_SHOWN_PARTS], *more])


def _is_picture(suffix: str) -> bool:
    return f".{suffix.rpartition('.')[2]}" in SUFFIXES


def _groups(tar: TarStream) -> Iterator[_Group]:
    """Yield the samples."""
    for key, members in itertools.groupby(_members(tar), key=itemgetter(0)):
        group = _Group(key)
        for _, suffix in members:
            group.add(suffix, tar)
        yield group


def _members(tar: TarStream) -> Iterator[tuple[str, str]]:
    """Yield key and suffix of the members; what is not a regular file, or has no suffix or key, is passed over."""
    for member in tar:
        folder, slash, name = member.name.rpartition("/")
        stem, _, suffix = name.partition(".")
        is_named = stem and "." in name and not _METADATA.match(member.name)
        if member.is_file and is_named:
            yield folder + slash + stem, suffix.lower()


class _Watched:
    """Passes a tar on and remembers its last bytes: one that is cut between members looks like a whole one."""

    def __init__(self, stream: compressed.Decompressed) -> None:
        self._stream = stream
        self._tail = b""

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._tail = (self._tail + data[-len(_END_MARK) :])[-len(_END_MARK) :]
        return data

    def finish(self) -> None:
        """Read what is left behind the archive's end, and raise what is wrong with it."""
        while self.read(1 << 20):
            pass
        if self._tail != _END_MARK:
            raise Damaged(CUT)


def _reason(stream: Any, error: Exception) -> str:
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.close()
    failure = failure_of(stream)
    if failure:
        return failure
    reason = reason_of(error)
    if reason:
        return f"{reason}; check the address"
    text = " ".join(str(error).split()) or type(error).__name__
    if text == CUT or isinstance(error, EOFError):
        return "it is truncated; copy or pack it again"
    if isinstance(error, Refused):
        return (
            f"refused, because it holds {text}; give a tar in the WebDataset convention"
        )
    return f"{shown(text, 200)}; give a tar file in the WebDataset convention"
