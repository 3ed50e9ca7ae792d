"""`ppcls doctor`."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from pathlib import Path

from ppcls.analysis.doctor import ADVICE, ERROR, OK, WARNING, Diagnosis, examine, worst
from ppcls.cli.parser import CommandParser
from ppcls.utils.terminal import LINE_WIDTH, coloured, width_of

WORKS_ON = "this machine and this installation"
EXAMPLES = (
    "ppcls doctor",
    "ppcls doctor --output /data/runs",
    "ppcls doctor --json",
)
_MARKS = {OK: "ok", ADVICE: "could", WARNING: "warning", ERROR: "ERROR"}
_COLOURS = {OK: "green", WARNING: "yellow", ERROR: "red"}
_TOPIC_WIDTH = 17
_INDENT = 7 + 2 + _TOPIC_WIDTH + 2
_NARROWEST = 20


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "--output",
        metavar="DIR",
        default=".",
        help="where runs will be written, whose disk is looked at (default: the current folder)",
    )
    command.add_argument(
        "--json", action="store_true", help="print a list of objects for programs"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; return 1 if something is missing without which commands fail, and else 0."""
    findings = examine(Path(arguments.output))
    if arguments.json:
        print(json.dumps([finding.as_json() for finding in findings], indent=2))
    else:
        for finding in findings:
            _print(finding)
    return 1 if worst(findings) == ERROR else 0


def _print(finding: Diagnosis) -> None:
    mark = f"{_MARKS[finding.state]:7}"
    if finding.state in _COLOURS:
        mark = coloured(mark, _COLOURS[finding.state], sys.stdout)
    lines = _lines(finding.found)
    if finding.change:
        lines += _lines(f"-> {finding.change}")
    print(f"{mark}  {finding.topic:{_TOPIC_WIDTH}}  {lines[0]}")
    for line in lines[1:]:
        print(" " * _INDENT + line)


def _lines(text: str) -> list[str]:
    """Break a text so that it fits the terminal beside the topics."""
    columns = width_of(sys.stdout)
    if columns is None:
        return [text]
    width = max(min(columns, LINE_WIDTH) - _INDENT, _NARROWEST)
    # A path or a command stays whole, to be copied
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
