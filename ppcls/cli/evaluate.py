"""`ppcls eval`."""

from __future__ import annotations

import argparse

from ppcls.cli.configured import add_configured, read_config_with_weights, start
from ppcls.cli.parser import CommandParser, add_image_root, add_rows_output
from ppcls.data.transforms.views import FORMS, TestTime
from ppcls.engine.eval_source import eval_data_of
from ppcls.utils.errors import UserError, translated

WORKS_ON = "a configuration, its weights and its pictures with labels (DataLoader.Eval)"
EXAMPLES = (
    "ppcls eval -c flowers.yaml",
    "ppcls eval -c DLA34 -o Arch.pretrained=timm",
    "ppcls eval -c flowers.yaml --data holiday/ --report holiday_report/",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    add_configured(command)
    add_rows_output(command)
    command.add_argument(
        "--report",
        metavar="DIR",
        help="also write a report: report.html with confused classes, wrong pictures and calibration, and tables",
    )
    command.add_argument(
        "--tta",
        metavar="VIEWS",
        type=_views,
        help=f"average the probabilities of several views of each picture: {FORMS}",
    )
    command.add_argument(
        "--data",
        metavar="FOLDER_OR_LIST",
        help="evaluate these pictures instead of those of DataLoader.Eval: one folder per class, or a list with labels",
    )
    add_image_root(command)


def _views(text: str) -> TestTime:
    with translated(UserError, lambda error: argparse.ArgumentTypeError(str(error))):
        return TestTime.parse(text)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, and return the exit code."""
    data = eval_data_of(arguments.data, arguments.image_root, arguments.override)
    config = read_config_with_weights(arguments, "eval", data)
    if arguments.print_config:
        print(config.to_yaml(), end="")
        return 0
    start(arguments)
    from ppcls.engine.evaluate import evaluate

    result = evaluate(config, arguments.output, arguments.report, arguments.tta)
    return 1 if result.failures else 0
