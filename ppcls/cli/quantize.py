"""`ppcls quantize`: an int8 form of a bundle."""

from __future__ import annotations

import argparse
import sys

from ppcls.cli.parser import CommandParser, add_image_root, add_option
from ppcls.deployment.quantize import GateFailure, QuantizeOptions, quantize
from ppcls.inference.bundle import Bundle
from ppcls.utils.errors import UserError, translated

WORKS_ON = "a bundle, and pictures to calibrate on"
EXAMPLES = (
    "ppcls quantize inference --calib list.txt",
    "ppcls quantize inference --calib pictures/ --count 500 --backend openvino",
    "ppcls quantize inference --calib train.txt --data val.txt",
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
        "--count", metavar="N", type=int,
        help="calibrate on N of them (default: 256, at most half)",
    )  # fmt: skip
    command.add_argument(
        "--data", metavar="LIST",
        help="compare on these pictures (default: the rest of --calib)",
    )  # fmt: skip
    command.add_argument(
        "--check", metavar="N", type=int, default=1000,
        help="compare on N at most (default: 1000)",
    )  # fmt: skip
    add_image_root(command)
    add_option(
        command, "--backend", old=["--engine"], metavar="NAME", default="openvino",
        help="openvino or onnxruntime (default: openvino)",
    )  # fmt: skip
    command.add_argument(
        "--ranges", metavar="HOW",
        help="how ranges of activations are estimated: minmax, percentile, mean or histogram for openvino; minmax, "
        "percentile or entropy for onnxruntime (default: minmax)",
    )  # fmt: skip
    command.add_argument(
        "--percentile", metavar="P", type=float,
        help="with --ranges percentile (default: 99.99)",
    )  # fmt: skip
    command.add_argument(
        "--bins", metavar="N", type=int,
        help="with --ranges entropy, bins of the histograms (default: 2048)",
    )  # fmt: skip
    command.add_argument(
        "--bias-correction", metavar="HOW",
        help="with openvino: fast, full or none (default: fast)",
    )  # fmt: skip
    command.add_argument(
        "--float32-layers", metavar="WHICH", default="none",
        help="keep the first, the last or both layers in float32 (default: none)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    with translated(ValueError, lambda error: UserError(str(error))):
        options = QuantizeOptions(
            backend=arguments.backend,
            ranges=arguments.ranges,
            percentile=arguments.percentile,
            bins=arguments.bins,
            bias_correction=arguments.bias_correction,
            float32_layers=arguments.float32_layers,
        )
    bundle = Bundle.load(arguments.bundle)
    try:
        result = quantize(
            bundle,
            arguments.calib,
            options,
            arguments.data,
            arguments.image_root,
            arguments.count,
            arguments.check,
        )
    except GateFailure as failure:
        print(failure.verdict.table())
        raise
    print(result, result.verdict.table(), sep="\n")
    for name, reason in result.unreadable.items():
        print(f"{name}: {reason}", file=sys.stderr)
    if result.unreadable:
        print(
            f"{len(result.unreadable)} pictures could not be read and were left out",
            file=sys.stderr,
        )
    return 1 if result.unreadable else 0
