"""The option `--temperature` of the commands that export a model or compare it with what was exported."""

from __future__ import annotations

import argparse

from ppcls.analysis.evaluation_report import read_temperature
from ppcls.cli.parser import CommandParser


def add_temperature(command: CommandParser) -> None:
    """Add `--temperature`."""
    command.add_argument(
        "--temperature",
        metavar="NUMBER_OR_REPORT",
        help="divide the logits by this number, or by the one that a report of `ppcls eval --report` proposes, so that "
        "probabilities are right as often as they say",
    )


def temperature_of(arguments: argparse.Namespace) -> float | None:
    """Return the temperature; None where none was asked for.

    Raises:
        UserError: It is neither a number above 0 nor a report.
    """
    if arguments.temperature is None:
        return None
    return read_temperature(arguments.temperature)
