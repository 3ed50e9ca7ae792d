"""`ppcls lr-find`."""

from __future__ import annotations

import argparse

from ppcls.cli.configured import add_configured, read_config, start
from ppcls.cli.parser import CommandParser

WORKS_ON = "a configuration, of which it trains some steps without keeping the result"
EXAMPLES = (
    "ppcls lr-find -c flowers.yaml",
    "ppcls lr-find -c DLA34 --low 1e-4 --high 1 --steps 200",
    "ppcls lr-find -c flowers.yaml --output rates.csv",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    add_configured(command)
    command.add_argument(
        "--output",
        metavar="FILE",
        default="lr_find.png",
        help="the plot; its numbers are written beside it as .csv (default: lr_find.png)",
    )
    command.add_argument(
        "--low",
        type=float,
        default=1e-5,
        help="the first learning rate (default: 1e-5)",
    )
    command.add_argument(
        "--high", type=float, default=10.0, help="the last learning rate (default: 10)"
    )
    command.add_argument(
        "--steps",
        type=int,
        default=200,
        help="training steps between the two (default: 200)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the training steps, write the plot, and return the exit code."""
    config = read_config(arguments, "lr-find")
    if arguments.print_config:
        print(config.to_yaml(), end="")
        return 0
    start(arguments)
    from ppcls.engine.lr_finder import find_learning_rate

    return find_learning_rate(
        config, arguments.output, arguments.low, arguments.high, arguments.steps
    )
