"""`ppcls npz score`."""

from __future__ import annotations

import argparse

from ppcls.cli.parser import CommandParser
from ppcls.deployment.npz.score import score

WORKS_ON = "the scores that a runtime wrote for the inputs of `ppcls npz make`"
EXAMPLES = (
    "ppcls npz score --results results --datalist npz/npz_datalist.txt --labels val.txt",
    "ppcls npz score --results board_a --datalist npz/npz_datalist.txt --labels val.txt",
    "ppcls npz score --results board_b --datalist npz/npz_datalist.txt --labels val.txt",
)


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
