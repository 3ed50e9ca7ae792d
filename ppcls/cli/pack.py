"""`ppcls pack`."""

from __future__ import annotations

import argparse
import sys

from ppcls.cli.parser import CommandParser
from ppcls.data.shards.pack import PackOptions, pack
from ppcls.utils import cpu

WORKS_ON = "a folder with one folder per class, or a list of pictures"
EXAMPLES = (
    "ppcls pack flowers/train shards/train",
    "ppcls pack dataset/ILSVRC2012 shards --list train_list.txt --resize-short 352 --reencode",
    "ppcls pack flowers/train shards/train --shard-count 8 --workers 4",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "source",
        metavar="SRC",
        help="a folder with one folder per class, or the folder that the paths of --list are relative to",
    )
    command.add_argument(
        "target",
        metavar="DST",
        help="the folder of the shards; its name begins theirs",
    )
    command.add_argument("--list", metavar="FILE", help="`relative/path label` lines")
    size = command.add_mutually_exclusive_group()
    size.add_argument(
        "--shard-size",
        metavar="MB",
        type=int,
        help="approximate megabytes per shard (default: 256)",
    )
    size.add_argument("--shard-count", metavar="N", type=int, help="pictures per shard")
    command.add_argument(
        "--resize-short",
        metavar="PIXELS",
        type=int,
        help="reduce the shorter side to this many pixels, and encode as JPEG",
    )
    command.add_argument(
        "--quality",
        metavar="Q",
        type=int,
        help="the quality of that JPEG, 1 to 100 (default: 95)",
    )
    command.add_argument(
        "--reencode",
        action="store_true",
        help="encode as such a JPEG what is not reduced, too: training reads it faster",
    )
    command.add_argument(
        "--keep-order",
        action="store_true",
        help="do not shuffle the pictures before packing",
    )
    command.add_argument(
        "--workers",
        metavar="N",
        type=int,
        default=cpu.usable_cores(),
        help="shards written at the same time (default: the number of cores)",
    )
    command.add_argument(
        "--on-error",
        choices=("skip", "raise"),
        default="skip",
        help="leave out and name pictures that cannot be read, or stop at the first (default: skip)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the shards, and return the exit code: 1 if pictures were left out."""
    options = PackOptions(
        shard_size=arguments.shard_size,
        shard_count=arguments.shard_count,
        resize_short=arguments.resize_short,
        quality=arguments.quality,
        keep_order=arguments.keep_order,
        reencode=arguments.reencode,
    )
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
    if not packed.unreadable:
        return 0
    print(
        f"{len(packed.unreadable)} pictures could not be read and were left out",
        file=sys.stderr,
    )
    return 1
