"""`ppcls adopt`: PaddleClas's inference model into a bundle."""

from __future__ import annotations

import argparse

from ppcls.cli.parser import CommandParser
from ppcls.deployment.adopt import adopt

_FIELDS = ("size", "resize_short", "interpolation", "backend", "mean", "std")


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "source",
        metavar="IN",
        help="a folder with inference.pdmodel and inference.pdiparams, or a tar",
    )
    command.add_argument(
        "target", metavar="OUT", help="the bundle's folder, which is made"
    )
    command.add_argument(
        "--model",
        metavar="NAME",
        help="a model of `ppcls models`, whose preprocessing it gets",
    )
    command.add_argument(
        "--labels",
        metavar="FILE",
        help="the names of the classes, `id name` or `name` per line",
    )
    given = command.add_argument_group("preprocessing that differs from the model's")
    given.add_argument(
        "--size", metavar="PIXELS", type=int, help="both sides of the central crop"
    )
    given.add_argument(
        "--resize-short",
        metavar="PIXELS",
        type=int,
        help="the shorter side before the crop",
    )
    given.add_argument("--interpolation", metavar="NAME", help="bilinear, bicubic, ...")
    given.add_argument(
        "--resize-backend",
        dest="backend",
        choices=("cv2", "pil"),
        help="what resizes: OpenCV or Pillow",
    )
    command.rename("--backend", "--resize-backend")
    for name in ("mean", "std"):
        given.add_argument(
            f"--{name}",
            metavar="X",
            type=float,
            nargs=3,
            help="red, green, blue, of values from 0 to 1",
        )


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    given = {
        name: getattr(arguments, name)
        for name in _FIELDS
        if getattr(arguments, name) is not None
    }
    agreement = adopt(
        arguments.source,
        arguments.target,
        arguments.model,
        given or None,
        arguments.labels,
    )
    difference = f"{agreement.score_difference:.1e}"
    print(
        f"{arguments.target}: oneDNN's scores differ from those of plain kernels by {difference} of their spread"
    )
    return 0
