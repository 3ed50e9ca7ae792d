"""What a packing is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppcls.data.shards.write import Encoding
from ppcls.utils.errors import UserError, expect

DEFAULT_SIZE = 256  # megabytes
_QUALITY = 95


@dataclass(frozen=True)
class PackOptions:
    """What decides the bytes of the shards.

    Attributes:
        shard_size: megabytes (2^20 bytes) of a shard, by the mean of some pictures; None takes 256.
        shard_count: pictures of a shard, in place of a size.
        resize_short: pixels to which the shorter side is reduced; None keeps the files as they are.
        quality: 1 to 100, of the JPEG that a reduced picture becomes; None takes 95.
        reencode: store pictures that are not reduced as such a JPEG too.
        keep_order: keep the order of the list; otherwise pictures are mixed once, always alike.
    """

    shard_size: int | None = None
    shard_count: int | None = None
    resize_short: int | None = None
    quality: int | None = None
    keep_order: bool = False
    reencode: bool = False

    def __post_init__(self) -> None:
        for name in ("shard_size", "shard_count", "resize_short"):
            value = getattr(self, name)
            expect(
                value is None or value >= 1,
                f"{_option(name)} is {value}; give a number of at least 1",
            )
        expect(
            None in (self.shard_size, self.shard_count),
            "a shard has a --shard-size or a --shard-count; give one of them",
        )
        is_used = self.resize_short is not None or self.reencode
        expect(
            self.quality is None or (is_used and 1 <= self.quality <= 100),
            f"--quality is {self.quality}; give 1 to 100, and --resize-short or --reencode, without which pictures are "
            "not encoded",
        )

    def encoding(self, skip: bool = True) -> Encoding:
        """How a picture is stored."""
        quality = self.quality or _QUALITY
        return Encoding(self.resize_short, quality, skip, self.reencode)


def check_options(
    folder: Path, noted: Mapping[str, Any], asked: dict[str, Any]
) -> None:
    """Refuse to continue in `folder` with other options than those in its manifest, or with other pictures."""
    for name, value in asked.items():
        before = noted.get(name)
        if before == value or not (before or value):
            continue  # an older version knew fewer options, and notes none of the others
        if name == "pictures_sha256":
            raise UserError(
                f"{folder} was begun with other pictures or labels; give another DST, or the same pictures"
            )
        raise UserError(
            f"{folder} was begun with {_option(name)} {_said(before)}, but now it is {_said(value)}; give the same, or "
            "another DST"
        )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _said(value: Any) -> str:
    if type(value) is int:
        return str(value)
    return "given" if value else "not given"
