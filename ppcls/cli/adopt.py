"""`ppcls adopt`: turn an inference model of PaddleClas into a bundle."""

from __future__ import annotations

import argparse

from ppcls.cli.parser import CommandParser
from ppcls.deployment.adopt import adopt

WORKS_ON = (
    "an inference model of PaddleClas: a folder with inference.pdmodel (or .json) and "
    "inference.pdiparams, or a tar"
)
EXAMPLES = (
    "ppcls adopt DLA34_infer.tar adopted --model DLA34",
    "ppcls adopt DLA34_infer adopted --model DLA34 --labels names.txt",
    "ppcls adopt model_infer.tar adopted --resize-short 256 --size 224 "
    "--mean 0.485 0.456 0.406 --std 0.229 0.224 0.225",
)

_PREPROCESSING = ("size", "resize_short", "interpolation", "backend", "mean", "std")


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "source", metavar="IN",
        help="a folder with inference.pdmodel and inference.pdiparams, or a tar",
    )  # fmt: skip
    command.add_argument("target", metavar="OUT", help="the new bundle's folder")
    command.add_argument(
        "--model", metavar="NAME",
        help="a model of `ppcls models`, for its preprocessing",
    )  # fmt: skip
    command.add_argument(
        "--labels", metavar="FILE",
        help="the names of the classes, `id name` or `name` per line",
    )  # fmt: skip
    group = command.add_argument_group("preprocessing that differs from the model's")
    group.add_argument(
        "--size", metavar="PIXELS", type=int, help="both sides of the central crop"
    )
    group.add_argument(
        "--resize-short", metavar="PIXELS", type=int,
        help="the shorter side before the crop",
    )  # fmt: skip
    group.add_argument("--interpolation", metavar="NAME", help="bilinear, bicubic, ...")
    group.add_argument(
        "--resize-backend", dest="backend", choices=("cv2", "pil"),
        help="what resizes: OpenCV or Pillow",
    )  # fmt: skip
    command.rename("--backend", "--resize-backend")
    for name in ("mean", "std"):
        group.add_argument(
            f"--{name}", metavar="X", type=float, nargs=3,
            help="for red, green and blue, of values from 0 to 1",
        )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    preprocess = {}
    for name in _PREPROCESSING:
        value = getattr(arguments, name)
        if value is not None:
            preprocess[name] = value
    agreement = adopt(
        arguments.source,
        arguments.target,
        arguments.model,
        preprocess or None,
        arguments.labels,
    )
    difference = f"{agreement.score_difference:.1e}"
    print(
        f"{arguments.target}: oneDNN's scores differ from those of plain kernels by {difference} of their spread"
    )
    return 0
