"""`ppcls train`."""

from __future__ import annotations

import argparse

from ppcls.cli.configured import add_configured, read_config, start
from ppcls.cli.parser import CommandParser
from ppcls.config.find import find_config


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    add_configured(command)
    command.add_argument(
        "--allow-changed",
        action="store_true",
        help="resume a run although settings that training depends on have changed",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, and return the exit code."""
    config = read_config(arguments, "train")
    if arguments.print_config:
        print(config.to_yaml(), end="")
        return 0
    start(arguments)
    from ppcls.engine.train import train

    return train(config, arguments.allow_changed, find_config(arguments.config))
