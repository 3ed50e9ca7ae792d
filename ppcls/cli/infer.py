"""`ppcls infer`."""

from __future__ import annotations

import argparse

from ppcls.cli.common import SetKey, add_rows_output
from ppcls.cli.configured import add_configured, read_config_with_weights, start
from ppcls.cli.parser import CommandParser


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    add_configured(command)
    command.add_argument(
        "--batch-size",
        metavar="N",
        type=int,
        action=SetKey,
        key="Infer.batch_size",
        help="pictures per batch",
    )
    command.add_argument(
        "--topk",
        metavar="K",
        type=int,
        action=SetKey,
        key="Infer.PostProcess.topk",
        help="classes per picture, the likeliest first",
    )
    add_rows_output(command)


def run(arguments: argparse.Namespace) -> int:
    """Classify the pictures of `Infer.infer_imgs`, and return the exit code."""
    config = read_config_with_weights(arguments, "infer")
    if arguments.print_config:
        print(config.to_yaml(), end="")
        return 0
    start(arguments)
    from ppcls.engine.infer import infer

    return infer(config, arguments.output)
