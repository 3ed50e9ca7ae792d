"""`ppcls onnx`: the program of an exported bundle, as ONNX beside it."""

from __future__ import annotations

import argparse
from typing import Any

from ppcls.cli.parser import CommandParser
from ppcls.deployment.onnx import export as onnx_export
from ppcls.deployment.onnx.export import add_onnx
from ppcls.inference import Bundle
from ppcls.utils.errors import UserError
from ppcls.utils.logging import setup_logging


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "bundle", metavar="BUNDLE", help="the folder that export wrote"
    )
    add_opset(command)


def add_opset(command: Any) -> None:
    """`--opset`."""
    command.add_argument(
        "--opset",
        metavar="N",
        type=int,
        help="the version of ONNX's operators, 7 to 21 (default: 13)",
    )


def opset_of(arguments: argparse.Namespace) -> int | None:
    """The opset that `ppcls export` is to write, or None.

    Raises:
        UserError: an opset is given for no ONNX file, or no conversion is possible.
    """
    if not arguments.onnx:
        if arguments.opset is not None:
            raise UserError("--opset belongs to --onnx; write --onnx as well")
        return None
    return _checked(arguments.opset)


def _checked(given: int | None) -> int:
    opset = onnx_export.OPSET if given is None else given
    onnx_export.check(opset)
    return opset


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    opset = _checked(arguments.opset)
    setup_logging(None)
    add_onnx(Bundle.load(arguments.bundle), opset)
    return 0
