"""`ppcls browse`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ppcls.cli.configured import add_configured, read_config, start
from ppcls.cli.parser import CommandParser, accept
from ppcls.utils.files import require_own

WORKS_ON = "a configuration, whose training it shows before it begins"
EXAMPLES = (
    "ppcls browse -c flowers.yaml",
    "ppcls browse -c flowers.yaml --pictures 100 --output seen.html",
    "ppcls browse -c DLA34 -o DataLoader.Train.sampler.batch_size=16",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    add_configured(command)
    command.add_argument(
        "--pictures",
        metavar="N",
        type=_count,
        default=24,
        help="pictures of the sheet (default: 24)",
    )
    command.add_argument(
        "--output",
        metavar="FILE",
        default="browse.html",
        help="the page; an earlier one is replaced (default: browse.html)",
    )


def _count(text: str) -> int:
    accept(
        text.isdecimal() and 0 < int(text) <= 1000,
        f"{text!r} is not a number of pictures; give one from 1 to 1000",
    )
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Write the page, and return the exit code."""
    config = read_config(arguments, "lr-find")
    if arguments.print_config:
        print(config.to_yaml(), end="")
        return 0
    page = Path(arguments.output)
    require_own(page, b'content="ppcls"')
    start(arguments)
    from ppcls.engine.browse import write_browse_page

    write_browse_page(config, page, arguments.pictures)
    print(page)
    return 0
