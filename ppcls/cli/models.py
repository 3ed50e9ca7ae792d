"""`ppcls models`."""

from __future__ import annotations

import argparse
import sys

from ppcls.arch.listing import as_json, as_table, listed_models
from ppcls.cli.parser import CommandParser
from ppcls.utils.terminal import width_of

WORKS_ON = "the models of this library"
EXAMPLES = (
    "ppcls models",
    "ppcls models 'DLA*'",
    "ppcls models --json",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "pattern",
        metavar="PATTERN",
        nargs="?",
        default="*",
        help="a shell pattern, quoted: 'DLA*x*'",
    )
    command.add_argument(
        "--json", action="store_true", help="print a list of objects for programs"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the models, and return the exit code."""
    models = listed_models(arguments.pattern)
    print(as_json(models) if arguments.json else as_table(models, width_of(sys.stdout)))
    return 0
