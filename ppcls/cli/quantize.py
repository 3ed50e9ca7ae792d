"""`ppcls quantize`: an int8 form of a bundle."""

from __future__ import annotations

import argparse
import sys

from ppcls.cli.common import add_option
from ppcls.cli.parser import CommandParser
from ppcls.deployment.quantize import GateFailure, QuantizeOptions, quantize
from ppcls.inference.bundle import Bundle
from ppcls.utils.errors import UserError

_OPTIONS = (
    "engine",
    "ranges",
    "percentile",
    "bins",
    "bias_correction",
    "float32_layers",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "bundle", metavar="BUNDLE", help="the folder that `ppcls export --onnx` wrote"
    )
    command.add_argument(
        "--calib", metavar="LIST", required=True,
        help="pictures like those that will be classified: a list of paths, with labels or without, a folder of "
        "pictures, or a folder that `ppcls npz make` wrote",
    )  # fmt: skip
    command.add_argument(
        "--count",
        metavar="N",
        type=int,
        help="calibrate on N of them (default: 256, at most half)",
    )
    command.add_argument(
        "--data",
        metavar="LIST",
        help="compare on these (default: on the rest of --calib)",
    )
    command.add_argument(
        "--check",
        metavar="N",
        type=int,
        default=1000,
        help="compare on N at most (default: 1000)",
    )
    command.add_argument(
        "--image-root",
        metavar="DIR",
        help="what paths are relative to (default: the list's folder)",
    )
    add_option(
        command,
        "--backend",
        old=["--engine"],
        metavar="NAME",
        dest="engine",
        default="openvino",
        help="openvino or onnxruntime (default: openvino)",
    )
    command.add_argument(
        "--ranges", metavar="HOW",
        help="of activations: minmax, percentile, mean or histogram for openvino; minmax, percentile or entropy for "
        "onnxruntime (default: minmax)",
    )  # fmt: skip
    command.add_argument(
        "--percentile",
        metavar="P",
        type=float,
        help="with --ranges percentile (default: 99.99)",
    )
    command.add_argument(
        "--bins",
        metavar="N",
        type=int,
        help="with --ranges entropy, of histograms (default: 2048)",
    )
    command.add_argument(
        "--bias-correction",
        metavar="HOW",
        help="openvino: fast, full or none (default: fast)",
    )
    command.add_argument(
        "--float32-layers", metavar="WHICH", default="none",
        help="keep the first, the last or both layers in float32 (default: none)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    try:
        options = QuantizeOptions(
            **{name: getattr(arguments, name) for name in _OPTIONS}
        )
    except ValueError as error:
        raise UserError(str(error)) from error
    bundle = Bundle.load(arguments.bundle)
    chosen = (arguments.data, arguments.image_root, arguments.count, arguments.check)
    try:
        report = quantize(bundle, arguments.calib, options, *chosen)
    except GateFailure as failure:
        print(failure.verdict.table())
        raise
    print(report, report.verdict.table(), sep="\n")
    for name, reason in report.unreadable.items():
        print(f"{name}: {reason}", file=sys.stderr)
    if report.unreadable:
        print(
            f"{len(report.unreadable)} pictures could not be read and were left out",
            file=sys.stderr,
        )
    return 1 if report.unreadable else 0
