"""`ppcls convert`."""

from __future__ import annotations

import argparse

from ppcls.arch.weights.convert import convert
from ppcls.cli.parser import CommandParser
from ppcls.utils.logging import setup_logging

WORKS_ON = "a file of weights"
EXAMPLES = (
    "ppcls convert dla34.pth dla34.safetensors --arch DLA34",
    "ppcls convert DLA34_pretrained.pdparams dla34.safetensors --arch DLA34",
    "ppcls convert output/DLA34/best_model dla34.pdparams --arch DLA34 --to paddleclas",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "source",
        metavar="IN",
        help="a file or its address, or with --arch the name of a source, such as timm",
    )
    command.add_argument(
        "target", metavar="OUT", help="a path ending in .pdparams or .safetensors"
    )
    command.add_argument(
        "--arch",
        metavar="NAME",
        help="the model (default: the one that the weights fit)",
    )
    command.add_argument(
        "--to",
        choices=("ppcls", "paddleclas"),
        default="ppcls",
        help="whose weight keys to write (default: ppcls)",
    )
    command.add_argument(
        "--no-ema",
        action="store_true",
        help="take the weights, not their moving average, from a file that has both",
    )
    command.add_argument(
        "--verbose", action="store_true", help="print how each weight key was mapped"
    )


def run(arguments: argparse.Namespace) -> int:
    """Convert the weights, and return the exit code."""
    setup_logging()
    converted = convert(
        arguments.source,
        arguments.target,
        arguments.arch,
        arguments.to,
        use_ema=not arguments.no_ema,
    )
    if arguments.verbose:
        print(converted.loaded.conversion.account(), end="")
    print(converted.text)
    return 0
