"""`ppcls lite`: a program for Paddle Lite beside that of a bundle."""

from __future__ import annotations

import argparse
import sys

from ppcls.cli.parser import CommandParser, add_image_root
from ppcls.deployment.lite import LiteOptions, add_lite
from ppcls.deployment.quantize import GateFailure
from ppcls.inference.bundle import Bundle
from ppcls.utils.errors import UserError, translated
from ppcls.utils.logging import setup_logging

WORKS_ON = "a bundle with a program of Paddle 2"
EXAMPLES = (
    "ppcls lite inference --target arm",
    "ppcls lite inference --target arm --int8 --data val.txt",
    "ppcls lite inference --target x86 --python ~/.pyenv/versions/3.7.17/bin/python",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "bundle", metavar="BUNDLE",
        help="the folder that `ppcls export --format pdmodel` wrote",
    )  # fmt: skip
    command.add_argument(
        "--target", metavar="NAME", default="arm",
        help="the processor, arm or x86 (default: arm)",
    )  # fmt: skip
    command.add_argument(
        "--int8", action="store_true",
        help="store the weights in int8, if the scores are as good as those of float32",
    )  # fmt: skip
    command.add_argument(
        "--data", metavar="LIST",
        help="with --int8: the pictures to compare on, a list, with labels or without, a folder of pictures, or "
        "a folder that `ppcls npz make` wrote",
    )  # fmt: skip
    command.add_argument(
        "--check", metavar="N", type=int, default=1000,
        help="compare on N at most (default: 1000)",
    )  # fmt: skip
    add_image_root(command)
    command.add_argument(
        "--python", metavar="FILE",
        help="a Python 3.7, with paddlelite 2.12 or without (default: the first that is found)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    with translated(ValueError, lambda error: UserError(str(error))):
        options = LiteOptions(
            target=arguments.target,
            int8=arguments.int8,
            data=arguments.data,
            image_root=arguments.image_root,
            compared=arguments.check,
        )
    bundle = Bundle.load(arguments.bundle)
    setup_logging(None)
    try:
        result = add_lite(bundle, options, arguments.python)
    except GateFailure as failure:
        print(failure.verdict.table())
        raise
    print(result)
    if result.verdict is not None:
        print(result.verdict.table())
    elif result.classes_compared < 2:
        print(
            "the golden scores are one 1 and else zeros, so they could not be compared",
            file=sys.stderr,
        )
    for name, reason in result.unreadable.items():
        print(f"{name}: {reason}", file=sys.stderr)
    return 1 if result.unreadable else 0
