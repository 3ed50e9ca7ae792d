"""`ppcls probe`."""

from __future__ import annotations

import argparse

from ppcls.cli.parser import CommandParser
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.logging import setup_logging
from ppcls.utils.terminal import aligned

WORKS_ON = "your own pictures, as finetune takes them; nothing is trained or written"
EXAMPLES = (
    "ppcls probe flowers/ --models 'SqueezeNet*,DLA34/timm'",
    "ppcls probe train.csv",
    "ppcls probe flowers/ --models DLA34 --pretrained dla34.pdparams",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "source",
        metavar="FOLDER_OR_LIST",
        help="a folder with one folder per class, or a list with labels",
    )
    command.add_argument(
        "--models",
        metavar="LIST",
        default="SqueezeNet1_1,DLA34",
        help="names or patterns of models, with /SOURCE for other weights (default: SqueezeNet1_1,DLA34)",
    )
    command.add_argument(
        "--pretrained", metavar="FILE", help="weights in place of the published ones"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the table, and return the exit code."""
    load_paddle()
    setup_logging()
    from ppcls.engine.probe import FOLDS, NEIGHBOURS, probe

    models = [word.strip() for word in arguments.models.split(",") if word.strip()]
    found = probe(arguments.source, models, arguments.pretrained)
    rows = [
        [each.model, str(each.features), str(each.linear), str(each.neighbours)]
        for each in found
    ]
    header = [
        "model",
        "features",
        "linear, top-1 (%)",
        f"{NEIGHBOURS} neighbours, top-1 (%)",
    ]
    print(aligned(header, rows, ("model",)))
    print(
        f"of {found[0].linear.pictures} pictures, cross-validated in up to {FOLDS} parts; in brackets the 95 % "
        "confidence interval (Wilson)"
    )
    return 0
