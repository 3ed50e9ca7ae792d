"""`ppcls plot`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ppcls.analysis import curves
from ppcls.analysis.figures import write_png
from ppcls.analysis.history import History
from ppcls.analysis.runs import named, open_run
from ppcls.cli.parser import CommandParser
from ppcls.utils.errors import expect

WORKS_ON = "the folders of runs"
EXAMPLES = (
    "ppcls plot output/DLA34",
    "ppcls plot output/DLA34 output/DLA34.1 --output compared.png",
    "ppcls plot output/flowers/* --metric top5",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "runs",
        metavar="RUN",
        nargs="+",
        help="a folder with a train.log, such as output/DLA34",
    )
    command.add_argument(
        "--metric",
        metavar="NAME",
        help="the accuracy to plot, as the log names it (default: the first one)",
    )
    command.add_argument(
        "--output",
        metavar="FILE",
        default="curves.png",
        help="the plot, a .png; an earlier one is replaced (default: curves.png)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Draw the plot, and return the exit code."""
    file = Path(arguments.output)
    expect(
        file.suffix == ".png",
        f"--output is {file}; write the path of a .png, such as curves.png",
    )
    histories = named([open_run(Path(folder)) for folder in arguments.runs])
    _check_metric(histories, arguments.metric)
    png, _ = curves.draw(histories, arguments.metric)
    write_png(file, png)
    print(file)
    return 0


def _check_metric(histories: dict[str, History], metric: str | None) -> None:
    """Check that there is something to draw.

    Raises:
        UserError: No run has ended an epoch, or none has the metric.
    """
    names: dict[str, None] = {}
    for history in histories.values():
        for epoch in history.epochs:
            names.update(dict.fromkeys([*epoch.valid, *epoch.train]))
    expect(
        names,
        f"no epoch of {', '.join(histories)} has ended yet; wait until one has",
    )
    expect(
        metric is None or metric in names,
        f"--metric is {metric}, which the runs do not have; write one of {', '.join(names)}",
    )
