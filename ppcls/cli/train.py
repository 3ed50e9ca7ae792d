"""`ppcls train`."""

from __future__ import annotations

import argparse

from ppcls.cli.configured import add_configured, read_config, start
from ppcls.cli.parser import CommandParser
from ppcls.config.paths import find_config
from ppcls.engine.next_commands import print_next

WORKS_ON = "a configuration: a YAML file, or a shipped one by its name (`ppcls models` lists the models)"
EXAMPLES = (
    "ppcls train -c DLA60",
    "ppcls train -c flowers.yaml -o Global.epochs=20",
    "ppcls train -c DLA34 -o Arch.pretrained=true -o Global.output_dir=runs/a",
)


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

    result = train(config, arguments.allow_changed, find_config(arguments.config))
    print_next(config, result.config_file)
    return 0
