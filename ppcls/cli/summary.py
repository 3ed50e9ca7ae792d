"""`ppcls summary`: a model layer by layer."""

from __future__ import annotations

import argparse
import re
from typing import Any

from ppcls.cli.common import new_command
from ppcls.utils.errors import UserError


def add(commands: Any) -> None:
    """Declares the command."""
    text = "print a model layer by layer: shapes, parameters, multiply-accumulates"
    command = new_command(commands, "summary", text, _run)
    command.add_argument("name", metavar="NAME", help="a model of `ppcls models`")
    command.add_argument(
        "--image-size", metavar="SIZE", type=_image_size,
        help="pixels of both sides, or HxW: 224, 192x256 (default: the model's own)",
    )  # fmt: skip
    command.add_argument(
        "--class-num",
        metavar="N",
        type=int,
        default=1000,
        help="classes; 0: none (default: 1000)",
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
        help="merge names of more than N parts: 1 shows stages",
    )


def _image_size(text: str) -> tuple[int, int]:
    sides = text.split("x")
    if len(sides) > 2 or not all(
        re.fullmatch("[1-9][0-9]{0,3}", side) for side in sides
    ):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size; give pixels from 1 to 9999: 224, or 192x256 (HxW)"
        )
    return int(sides[0]), int(sides[-1])


def _depth(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]*", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no depth; give a whole number of at least 1"
        )
    return int(text)


def _run(arguments: argparse.Namespace) -> int:
    from ppcls.arch.catalog import BACKBONES, MODELS

    cls = BACKBONES[arguments.name]
    try:
        params = cls(
            arguments.name,
            class_num=arguments.class_num,
            in_channels=arguments.in_channels,
        )
    except ValueError as error:
        raise UserError(f"{arguments.name}: {error}") from error
    model = params.build()  # loads Paddle, the module below needs it
    from ppcls.arch.summary import summarize

    print(
        summarize(
            model, arguments.image_size or MODELS[arguments.name].input_size[1:]
        ).table(arguments.depth)
    )
    return 0
