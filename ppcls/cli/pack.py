"""`ppcls pack`: pictures into tar shards."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ppcls.cli.common import new_command
from ppcls.utils import cpu


def add(commands: Any) -> None:
    """Declares the command."""
    text = "pack pictures into tar shards for WebDatasetDataset; goes on where it was interrupted"
    command = new_command(commands, "pack", text, _run)
    command.add_argument(
        "source",
        metavar="SRC",
        help="one folder per class, or what the paths of --list are relative to",
    )
    command.add_argument(
        "target", metavar="DST", help="the folder of the shards, which bear its name"
    )
    command.add_argument("--list", metavar="FILE", help="`relative/path label` lines")
    size = command.add_mutually_exclusive_group()
    size.add_argument(
        "--shard-size",
        metavar="MB",
        type=int,
        help="megabytes per shard, about (default: 256)",
    )
    size.add_argument("--shard-count", metavar="N", type=int, help="pictures per shard")
    command.add_argument(
        "--resize-short",
        metavar="PIXELS",
        type=int,
        help="reduce the shorter side to so many pixels, as JPEG",
    )
    command.add_argument(
        "--quality", metavar="Q", type=int, help="of that JPEG, 1 to 100 (default: 95)"
    )
    command.add_argument(
        "--keep-order",
        action="store_true",
        help="do not mix the pictures before they are packed",
    )
    command.add_argument(
        "--workers",
        metavar="N",
        type=int,
        default=cpu.usable_cores(),
        help="shards at a time (default: the cores)",
    )
    command.add_argument(
        "--on-error", choices=("skip", "raise"), default="skip",
        help="leave a picture that cannot be read out and name it, or stop (default: skip)",
    )  # fmt: skip


def _run(arguments: argparse.Namespace) -> int:
    from ppcls.data.shards.pack import PackOptions, pack

    names = ("shard_size", "shard_count", "resize_short", "quality", "keep_order")
    options = PackOptions(**{name: getattr(arguments, name) for name in names})
    packed = pack(
        arguments.source,
        arguments.target,
        arguments.list,
        options,
        arguments.workers,
        arguments.on_error,
    )
    print(packed)
    for path, reason in packed.unreadable.items():
        print(f"{path}: {reason}", file=sys.stderr)
    if packed.unreadable:
        print(
            f"{len(packed.unreadable)} pictures could not be read and were left out",
            file=sys.stderr,
        )
    return 1 if packed.unreadable else 0
