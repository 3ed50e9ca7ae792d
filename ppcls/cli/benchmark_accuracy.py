"""`ppcls benchmark accuracy`: top-1 and top-5 of models by backend and precision, beside the published figures."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from ppcls.benchmark.accuracy_run import AccuracyRun, bundles_to_measure
from ppcls.benchmark.accuracy_sheet import AccuracySheet
from ppcls.benchmark.sheet import claimed_sheet
from ppcls.cli.benchmark_options import number, to_stderr
from ppcls.cli.parser import CommandParser, add_option
from ppcls.cli.pictures import add_data, read_data
from ppcls.data.picture_list import PictureList
from ppcls.deployment.verify.forms import parse_forms
from ppcls.inference.bundle import Bundle
from ppcls.utils.errors import UserError

WORKS_ON = "bundles, or published models by their names; and pictures with labels"
EXAMPLES = (
    "ppcls benchmark accuracy inference --data val.txt --output accuracy",
    "ppcls benchmark accuracy --models 'DLA*' --data dataset/ILSVRC2012/val_list.txt --output accuracy",
    "ppcls benchmark accuracy inference adopted --data val.txt --backend openvino --output accuracy",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "bundles", metavar="BUNDLE", nargs="*", help="folders that `ppcls export` wrote"
    )
    command.add_argument(
        "--models", metavar="PATTERN",
        help="models with their published weights, which are exported to --output first: 'DLA*'",
    )  # fmt: skip
    add_data(command, required=True)
    add_option(
        command, "--backend", old=["--backends"], metavar="LIST", default="all",
        help="all, or backends with or without a precision: openvino,onnxruntime:int8 (default: all)",
    )  # fmt: skip
    command.add_argument(
        "--device", choices=("cpu", "gpu"), default="cpu",
        help="where they run (default: cpu)",
    )  # fmt: skip
    command.add_argument(
        "--batch-size", metavar="N", type=number, default=8,
        help="pictures per batch (default: 8)",
    )  # fmt: skip
    command.add_argument(
        "--threads", metavar="N", type=number,
        help="threads of kernels and reading (default: all cores)",
    )  # fmt: skip
    add_option(
        command, "--output", old=["--out"], metavar="DIR", required=True,
        help="the folder for accuracy.md, accuracy.csv and accuracy.json",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    measuring = AccuracyRun(
        parse_forms(arguments.backend, arguments.device),
        partial(_labelled, arguments),
        arguments.device,
        arguments.batch_size,
        arguments.threads,
        to_stderr,
    )
    if not Path(arguments.data).exists():  # before models are exported
        raise UserError(f"--data: there is no list or folder {arguments.data}")
    with claimed_sheet(arguments.output, "accuracy"):
        sheet = AccuracySheet(arguments.output)
        exports = Path(arguments.output) / "bundles"
        measuring.fill(
            sheet, bundles_to_measure(arguments.bundles, arguments.models, exports)
        )
        print(sheet.for_terminal())
        to_stderr("written: " + ", ".join(map(str, sheet.write())))
    return 0


def _labelled(arguments: argparse.Namespace, bundle: Bundle) -> PictureList:
    """The pictures of `--data`, which must have labels."""
    data = read_data(arguments, bundle)
    if data.labels is None:
        raise UserError(
            f"{arguments.data} has no labels: {data.why_unlabelled}; give a list with labels, or one folder per "
            "class, named as the classes of the bundle"
        )
    return data
