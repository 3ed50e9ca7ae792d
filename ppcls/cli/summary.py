"""`ppcls summary`."""

from __future__ import annotations

import argparse
import re
import sys

from ppcls.arch.catalog import BACKBONES
from ppcls.arch.factory import build_backbone
from ppcls.arch.model_table import info_of
from ppcls.cli.parser import CommandParser, accept, add_option
from ppcls.utils.errors import UserError, translated
from ppcls.utils.terminal import width_of

WORKS_ON = "a model by its name"
EXAMPLES = (
    "ppcls summary DLA34",
    "ppcls summary DLA34 --depth 1",
    "ppcls summary SqueezeNet1_1 --size 320 --class-num 10",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument("name", metavar="NAME", help="a model of `ppcls models`")
    add_option(
        command,
        "--size",
        old=["--image-size"],
        metavar="SIZE",
        type=_size,
        help="pixels of both sides, or HxW: 224, 192x256 (default: the model's own size)",
    )
    command.add_argument(
        "--class-num",
        metavar="N",
        type=int,
        default=1000,
        help="number of classes; 0 leaves out the classifier (default: 1000)",
    )
    command.add_argument(
        "--in-channels",
        metavar="C",
        type=int,
        default=3,
        help="channels of the input (default: 3)",
    )
    command.add_argument(
        "--depth",
        metavar="N",
        type=_depth,
        help="merge layers whose names have more than N parts: 1 shows stages",
    )


def _size(text: str) -> tuple[int, int]:
    matched = re.fullmatch("([1-9][0-9]{0,3})(?:x([1-9][0-9]{0,3}))?", text)
    if matched is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size; give pixels from 1 to 9999: 224, or 192x256 (HxW)"
        )
    height, width = matched[1], matched[2] or matched[1]
    return int(height), int(width)


def _depth(text: str) -> int:
    accept(
        re.fullmatch("[1-9][0-9]*", text),
        f"{text!r} is not a depth; give a whole number of at least 1",
    )
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Print the table, and return the exit code."""
    cls = BACKBONES[arguments.name]
    with translated(ValueError, lambda error: UserError(f"{arguments.name}: {error}")):
        params = cls(
            arguments.name,
            class_num=arguments.class_num,
            in_channels=arguments.in_channels,
        )
    model = build_backbone(params)  # loads Paddle, which the next import needs
    from ppcls.arch.summary import summarize

    size = arguments.size or info_of(arguments.name).input_size[1:]
    print(summarize(model, size).table(arguments.depth, width_of(sys.stdout)))
    return 0
