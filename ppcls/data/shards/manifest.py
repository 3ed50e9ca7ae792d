"""Which shards there are and how many pictures each holds."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.data.shards.archive import samples_of
from ppcls.data.shards.patterns import expand
from ppcls.data.shards.streams import (
    DAMAGE,
    is_command,
    is_local,
    open_stream,
    reason_of,
    webdataset_tools,
)
from ppcls.untrusted.json_text import parse_json
from ppcls.untrusted.refusals import Damaged, require, shown
from ppcls.utils.errors import UserError, expect
from ppcls.utils.fields import allows
from ppcls.utils.logging import get_logger

MANIFEST = "manifest.json"
FORMAT = "ppcls shards 1"
_SHOWN = 5
# What a manifest says never becomes a command, an option or another folder
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,250}\.tar")
_LEAST_BYTES = 1536  # of a sample in a tar: two headers and a label
_MOST_BYTES = 64 * 2**20  # of a manifest; one of 100,000 shards has 20 MB
_MOST_SHARD_BYTES = 10**15


@dataclass(frozen=True, eq=False)
class ShardList:
    """Shards, and what an epoch of them is.

    Attributes:
        addresses: a path, an http address or a `pipe:` command for each shard.
        counts: pictures of each shard, int64 [len(addresses)]; None if nothing says so.
        class_names: by label, where they are known.
        shuffle_buffer: pictures that a reader mixes.
        epoch_length: pictures of an epoch; None for all.
    """

    addresses: list[str]
    counts: np.ndarray | None
    class_names: list[str] | None = None
    shuffle_buffer: int = 1000
    epoch_length: int | None = None

    def __len__(self) -> int:
        # `ready` guarantees it
        assert self.epoch_length is not None or self.counts is not None
        return self.epoch_length or int(self.counts.sum())  # type: ignore[union-attr]

    def ready(self, shuffle: bool) -> ShardList:
        """The same with all that reading needs: without shuffling every picture counts, so they are counted.

        Raises:
            UserError: nothing says how long an epoch is, or it is impossible.
        """
        if self.counts is None and shuffle:
            expect(
                self.epoch_length is not None,
                "nothing says how many pictures the shards hold; write epoch_length, or as shards the manifest.json "
                "of `ppcls pack`",
            )
            return self
        counts = self.counts if self.counts is not None else self._counted()
        held = int(counts.sum())
        expect(
            held, f"{self.addresses[0]} and the other shards hold no picture; pack some"
        )
        known = dataclasses.replace(self, counts=counts)
        expect(
            shuffle or len(known) <= held,
            f"epoch_length is {len(known)}, but without shuffling each of the {held} pictures is read "
            "once; write at most that, or leave it out",
        )
        return known

    def _counted(self) -> np.ndarray:
        """The pictures of each shard, for which every shard is read once."""
        get_logger().info(
            "counting the pictures of %d shards; a manifest would save that",
            len(self.addresses),
        )
        counts = [sum(1 for _ in samples_of(address)) for address in self.addresses]
        return np.array(counts, np.int64)


def open_shards(
    given: str | Sequence[str], class_num: int, buffer: int, length: int | None
) -> ShardList:
    """Find the shards of a manifest (a path or address that ends in `.json`), or of brace patterns.

    Raises:
        UserError: webdataset or a file is missing, the manifest is damaged, or does not fit its shards or `class_num`.
    """
    webdataset_tools()
    if isinstance(given, str) and given.endswith(".json"):
        listed = _from_manifest(given, class_num)
        return dataclasses.replace(listed, shuffle_buffer=buffer, epoch_length=length)
    patterns = [given] if isinstance(given, str) else list(given)
    addresses = expand(patterns)
    missing = []
    for address in addresses:
        if is_local(address) and not Path(address).is_file():
            missing.append(f"{address} is not there; correct shards")
    _raise_together(missing)
    return ShardList(addresses, None, None, buffer, length)


def _raise_together(problems: Sequence[str]) -> None:
    if not problems:
        return
    lines = list(problems[:_SHOWN])
    if len(problems) > _SHOWN:
        lines.append(f"... and {len(problems) - _SHOWN} shards more")
    raise UserError("\n".join(lines))


def _from_manifest(address: str, class_num: int) -> ShardList:
    expect(
        not is_command(address),
        f"shards is {address!r}, but names of shards that a command writes never reach a shell; give "
        "the path or http address of the manifest, or `pipe:` patterns of the shards and epoch_length",
    )
    manifest = parse_manifest(_bytes_of(address), address)
    folder = address[: -len(address.rpartition("/")[2])]
    addresses = [folder + shard["name"] for shard in manifest["shards"]]
    if is_local(address):
        problems = []
        for path, shard in zip(addresses, manifest["shards"]):
            problem = _difference(Path(path), shard)
            if problem:
                problems.append(problem)
        _raise_together(problems)
    names, largest = manifest["class_names"], manifest["largest_label"]
    if names is not None and len(names) != class_num:
        raise UserError(
            f"{address} has {len(names)} classes, but Arch.class_num is {class_num}; write Arch.class_num: {len(names)}"
        )
    expect(
        largest < class_num,
        f"{address}: the label {largest} is outside 0 to {class_num - 1}; correct it or Arch.class_num "
        f"({class_num})",
    )
    counts = np.array([shard["pictures"] for shard in manifest["shards"]], np.int64)
    return ShardList(addresses, counts, names)


def _difference(path: Path, shard: Any) -> str:
    if not path.is_file():
        return (
            f"{path} is not there, but the manifest lists it; bring it, or pack again"
        )
    size = path.stat().st_size
    if size != shard["bytes"]:
        return f"{path} has {size} bytes, but the manifest says {shard['bytes']}; bring it again, or pack again"
    return ""


def _bytes_of(address: str) -> bytes:
    try:
        with contextlib.closing(open_stream(address)) as stream:
            content = stream.read(_MOST_BYTES + 1)
            # Of a stream a read may give less than there is
            while len(content) <= _MOST_BYTES and (more := stream.read(1 << 20)):
                content += more
    except UserError:
        raise
    except DAMAGE as error:
        reason = reason_of(error) or "it cannot be fetched"
        raise UserError(
            f"{address}: {reason}; give the manifest.json that `ppcls pack` wrote"
        ) from error
    expect(
        len(content) <= _MOST_BYTES,
        f"{address} has more than {_MOST_BYTES:,} bytes; give the manifest.json that `ppcls pack` wrote",
    )
    return content


def parse_manifest(content: bytes, place: Any) -> Any:
    """Parse a manifest that `ppcls pack` wrote.

    Raises:
        UserError: It is damaged, or something else.
    """
    detail = ""
    try:
        manifest = parse_json(content)
        _check_manifest(manifest)
    except (Damaged, ValueError, KeyError, TypeError) as error:
        if isinstance(error, Damaged):
            detail = f" ({error})"
        raise UserError(
            f"{place} is not a manifest of shards{detail}; give the manifest.json that `ppcls pack` wrote"
        ) from error
    return manifest


def _check_manifest(manifest: Any) -> None:
    """Check the types of the values; a missing key raises a KeyError."""
    _expect_type(manifest["format"] == FORMAT)
    for shard in manifest["shards"]:
        _check_shard(shard)
    _expect_type(allows(list[str] | None, manifest["class_names"]))
    _expect_type(type(manifest["largest_label"]) is int)


def _expect_type(is_right: bool) -> None:
    if not is_right:
        raise ValueError


def _check_shard(shard: Any) -> None:
    name, pictures, size = shard["name"], shard["pictures"], shard["bytes"]
    require(
        _NAME.fullmatch(name),
        f"the shard name '{shown(name)}' is not made of A-Z, a-z, 0-9, '.', '_' and '-' alone, ending in .tar",
    )
    _expect_type(type(pictures) is int and type(size) is int)
    require(size <= _MOST_SHARD_BYTES, f"{name} cannot have {shown(str(size))} bytes")
    require(
        0 <= pictures <= size // _LEAST_BYTES,
        f"{name} cannot hold {pictures} pictures in {size} bytes",
    )
