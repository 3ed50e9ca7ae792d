"""`ppcls onnx`: the program of an exported bundle, as ONNX beside it."""

from __future__ import annotations

import argparse

from ppcls.cli.parser import CommandParser
from ppcls.deployment.onnx.export import OPSET, add_onnx, check
from ppcls.inference.bundle import Bundle
from ppcls.utils.errors import UserError
from ppcls.utils.logging import setup_logging

WORKS_ON = "a bundle"
EXAMPLES = (
    "ppcls onnx inference",
    "ppcls onnx inference --opset 17",
    "ppcls onnx adopted",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "bundle", metavar="BUNDLE", help="the folder that `ppcls export` wrote"
    )
    add_opset(command)


def add_opset(command: CommandParser) -> None:
    """Add `--opset`."""
    command.add_argument(
        "--opset", metavar="N", type=int,
        help="the version of ONNX's operators, 7 to 21 (default: 13)",
    )  # fmt: skip


def opset_of(arguments: argparse.Namespace) -> int | None:
    """The opset that `ppcls export` writes, or None.

    Raises:
        UserError: An opset is given without --onnx, or the program cannot be converted here.
    """
    if arguments.onnx:
        return _checked(arguments.opset)
    if arguments.opset is not None:
        raise UserError("--opset belongs to --onnx; write --onnx as well")
    return None


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    opset = _checked(arguments.opset)
    setup_logging(None)
    add_onnx(Bundle.load(arguments.bundle), opset)
    return 0


def _checked(opset: int | None) -> int:
    if opset is None:
        opset = OPSET
    check(opset)
    return opset
