"""`ppcls convert`: foreign weights into a file of this library."""

from __future__ import annotations

import argparse
from typing import Any

from ppcls.cli.common import new_command


def add(commands: Any) -> None:
    """Declares the command."""
    text = "turn weights of PaddleClas, timm, ucbdrive, torchvision or Darknet into a file of this library"
    command = new_command(commands, "convert", text, _run)
    command.add_argument(
        "source",
        metavar="IN",
        help="a file, its address, or with --arch a source's name: timm",
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
        help="the layout that is written (default: ppcls)",
    )
    command.add_argument(
        "--no-ema",
        action="store_true",
        help="take the weights and not their moving average, of a file with both",
    )
    command.add_argument(
        "--verbose", action="store_true", help="print how each key was mapped"
    )


def _run(arguments: argparse.Namespace) -> int:
    from ppcls.arch.weights.convert import convert
    from ppcls.utils.logging import setup_logging

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
