"""Which shards there are and how many pictures each holds."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.data.shards.archive import samples_of, webdataset_tools
from ppcls.utils.errors import UserError
from ppcls.utils.logging import get_logger

MANIFEST = "manifest.json"
FORMAT = "ppcls shards 1"
_SHOWN = 5
# A plain one: what a manifest says never becomes a command or another folder
_NAME = re.compile(r"[^/\\:]+\.tar")


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
        # `ready` has seen to it
        assert self.epoch_length is not None or self.counts is not None
        return self.epoch_length or int(self.counts.sum())  # type: ignore[union-attr]

    def ready(self, shuffle: bool) -> ShardList:
        """The same with all that reading needs: without shuffling every picture counts, so they are counted.

        Raises:
            UserError: nothing says how long an epoch is, or it is impossible.
        """
        if self.counts is None and not shuffle:
            get_logger().info(
                "counting the pictures of %d shards; a manifest would save that",
                len(self.addresses),
            )
            counts = [sum(1 for _ in samples_of(address)) for address in self.addresses]
            return dataclasses.replace(self, counts=np.array(counts, np.int64)).ready(
                shuffle
            )
        if self.counts is None and self.epoch_length is None:
            raise UserError(
                "nothing says how many pictures the shards hold; write epoch_length, or as shards the manifest.json "
                "of `ppcls pack`"
            )
        if self.counts is not None and not self.counts.sum():
            raise UserError(
                f"{self.addresses[0]} and the other shards hold no picture; pack some"
            )
        if self.counts is not None and not shuffle and len(self) > self.counts.sum():
            raise UserError(
                f"epoch_length is {len(self)}, but without shuffling each of the {self.counts.sum()} pictures is read "
                "once; write at most that, or leave it out"
            )
        return self


def open_shards(
    given: str | Sequence[str], class_num: int, buffer: int, length: int | None
) -> ShardList:
    """The shards of a manifest (a path or address that ends in `.json`), or of brace patterns.

    Raises:
        UserError: webdataset or a file is missing, the manifest is none, or does not fit its shards or `class_num`.
    """
    _, _, _, braceexpand = webdataset_tools()
    if isinstance(given, str) and given.endswith(".json"):
        return dataclasses.replace(
            _from_manifest(given, class_num), shuffle_buffer=buffer, epoch_length=length
        )
    patterns = [given] if isinstance(given, str) else list(given)
    try:
        addresses = [
            address for pattern in patterns for address in braceexpand(pattern)
        ]
    except ValueError as error:
        raise UserError(
            f"shards {given!r}: {error}; write a pattern such as train-{{000000..000099}}.tar"
        ) from error
    missing = [
        f"{a} is not there; correct shards"
        for a in addresses
        if _is_local(a) and not Path(a).is_file()
    ]
    _raise_together(missing)
    return ShardList(addresses, None, None, buffer, length)


def _is_local(address: str) -> bool:
    return "://" not in address and not address.startswith(("pipe:", "file:"))


def _raise_together(problems: Sequence[str]) -> None:
    if problems:
        more = (
            [f"... and {len(problems) - _SHOWN} shards more"]
            if len(problems) > _SHOWN
            else []
        )
        raise UserError("\n".join([*problems[:_SHOWN], *more]))


def _from_manifest(address: str, class_num: int) -> ShardList:
    manifest = parse_manifest(_bytes_of(address), address)
    folder = address[: -len(address.rpartition("/")[2])]
    addresses = [folder + shard["name"] for shard in manifest["shards"]]
    if _is_local(address):
        problems = (
            _difference(Path(path), shard)
            for path, shard in zip(addresses, manifest["shards"])
        )
        _raise_together([problem for problem in problems if problem])
    names, largest = manifest["class_names"], manifest["largest_label"]
    if names is not None and len(names) != class_num:
        raise UserError(
            f"{address} has {len(names)} classes, but Arch.class_num is {class_num}; write Arch.class_num: {len(names)}"
        )
    if largest >= class_num:
        raise UserError(
            f"{address}: the label {largest} is outside 0 to {class_num - 1}; correct it or Arch.class_num "
            f"({class_num})"
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
    gopen = webdataset_tools()[0]
    try:
        with contextlib.closing(gopen(address)) as stream:
            return stream.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it cannot be fetched"
        raise UserError(
            f"{address}: {reason}; give the manifest.json that `ppcls pack` wrote"
        ) from error


def parse_manifest(content: bytes, place: Any) -> Any:
    """The manifest as `ppcls pack` writes it.

    Raises:
        UserError: it is none.
    """
    try:
        manifest = json.loads(content)
        good = manifest["format"] == FORMAT and all(
            _NAME.fullmatch(shard["name"])
            and shard["name"][0] != "."
            and shard["pictures"] >= 0
            and shard["bytes"] > 0
            for shard in manifest["shards"]
        )
        names, largest = manifest["class_names"], manifest["largest_label"]
        good = (
            good
            and (names is None or all(isinstance(name, str) for name in names))
            and isinstance(largest, int)
        )
    except (ValueError, KeyError, TypeError):
        good = False
    if not good:
        raise UserError(
            f"{place} is no manifest of shards; give the manifest.json that `ppcls pack` wrote"
        )
    return manifest
