"""`ppcls compare`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ppcls.analysis.comparison import PAGE_FILE
from ppcls.cli.benchmark_options import number
from ppcls.cli.parser import CommandParser, add_image_root
from ppcls.engine.processes import refuse_several
from ppcls.utils.load_paddle import load_paddle

WORKS_ON = "two models (runs, checkpoints, configurations, bundles or published models), and pictures with labels"
EXAMPLES = (
    "ppcls compare output/flowers/DLA34 output/flowers/DLA60",
    "ppcls compare output/flowers/DLA34/best_model inference --data flowers/val",
    "ppcls compare old_bundle new_bundle --data flowers/val --report comparison",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    for name in ("first", "second"):
        command.add_argument(
            name,
            metavar=name.upper(),
            help="a run's folder, a checkpoint, a configuration, a bundle, or a published model",
        )
    command.add_argument(
        "--data",
        metavar="FOLDER_OR_LIST",
        help="one folder per class, or a list with labels (default: the evaluation pictures of the first run)",
    )
    add_image_root(command)
    command.add_argument(
        "--report",
        metavar="DIR",
        help="also write compare.html, with the pictures of which only one is right, and compare.csv",
    )
    command.add_argument(
        "--batch-size",
        metavar="N",
        type=number,
        default=16,
        help="pictures per batch (default: 16)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Compare, and return the exit code."""
    refuse_several()
    load_paddle()
    from ppcls.engine.compare import compare

    found = compare(
        arguments.first,
        arguments.second,
        arguments.data,
        arguments.image_root,
        arguments.report,
        arguments.batch_size,
    )
    for name, value in found.table():
        print(f"{name}: {value}")
    if arguments.report is not None:
        print(f"report: {Path(arguments.report) / PAGE_FILE}")
    return 0
