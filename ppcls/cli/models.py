"""`ppcls models`: the models there are."""

from __future__ import annotations

import argparse
from typing import Any

from ppcls.cli.common import new_command


def add(commands: Any) -> None:
    """Declares the command."""
    text = "list the models, with their sizes, published accuracies and weights"
    command = new_command(commands, "models", text, _run)
    command.add_argument(
        "pattern",
        metavar="PATTERN",
        nargs="?",
        default="*",
        help="shell pattern, quoted: 'DLA*x*'",
    )
    command.add_argument(
        "--json", action="store_true", help="print a list of objects for programs"
    )


def _run(arguments: argparse.Namespace) -> int:
    from ppcls.arch.listing import as_json, as_table, listed_models

    models = listed_models(arguments.pattern)
    print(as_json(models) if arguments.json else as_table(models))
    return 0
