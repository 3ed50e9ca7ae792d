"""`ppcls config`."""

from __future__ import annotations

import argparse
import sys

from ppcls.cli.parser import CommandParser, add_override
from ppcls.config import load_config, migrate_config
from ppcls.engine.processes import world_size
from ppcls.engine.schema import registries

WORKS_ON = "a configuration"
EXAMPLES = (
    "ppcls config -c DLA60",
    "ppcls config -c flowers.yaml -o Global.epochs=20",
    "ppcls config --migrate old.yaml",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    file = command.add_mutually_exclusive_group(required=True)
    file.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="a YAML file, or the name of a shipped one: DLA60",
    )
    file.add_argument(
        "--migrate",
        metavar="FILE",
        help="a file of PaddleClas 2.0, with ARCHITECTURE, LEARNING_RATE, TRAIN ..., to convert",
    )
    add_override(command)


def run(arguments: argparse.Namespace) -> int:
    """Print the configuration, and return the exit code."""
    if arguments.migrate is not None:
        text = migrate_config(
            arguments.migrate, arguments.override, registries(), world_size()
        )
    else:
        config = load_config(
            arguments.config,
            arguments.override,
            registries(),
            check_paths=False,
            processes=world_size(),
            say=lambda line: print(line, file=sys.stderr),
        )
        text = config.to_yaml()
    print(text, end="")
    return 0
