"""`ppcls npz score`."""

from __future__ import annotations

import argparse

from ppcls.cli.parser import CommandParser
from ppcls.deployment.npz.score import score


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "--results",
        metavar="DIR",
        required=True,
        help="the folder of the results: one .npz file per picture, named as its input",
    )
    command.add_argument(
        "--datalist",
        metavar="FILE",
        required=True,
        help="the list of the inputs, one path per line",
    )
    command.add_argument(
        "--labels",
        metavar="FILE",
        required=True,
        help="npz_labels.txt, or the list that the inputs were made from: `name label` lines",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the accuracy, and return the exit code."""
    print(score(arguments.results, arguments.datalist, arguments.labels))
    return 0
