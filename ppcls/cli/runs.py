"""`ppcls runs`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ppcls.analysis.runs import as_csv, as_table, find_runs
from ppcls.cli.parser import CommandParser
from ppcls.utils.terminal import width_of

WORKS_ON = "a folder that holds runs of `ppcls train` and `ppcls finetune`"
EXAMPLES = (
    "ppcls runs",
    "ppcls runs output/flowers",
    "ppcls runs output --csv",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "folder",
        metavar="FOLDER",
        nargs="?",
        default="output",
        help="where runs are looked for, four levels deep (default: output)",
    )
    command.add_argument(
        "--csv",
        action="store_true",
        help="print CSV, with every difference of the configurations",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the table, and return the exit code."""
    folder = Path(arguments.folder)
    found = find_runs(folder)
    if arguments.csv:
        print(as_csv(found), end="")
    elif found:
        print(as_table(found, width_of(sys.stdout)))
    else:
        print(f"no run in {folder}")
    return 0
