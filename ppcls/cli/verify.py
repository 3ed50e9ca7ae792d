"""`ppcls verify`: every engine and precision of a bundle against the model in float32."""

from __future__ import annotations

import argparse
from typing import Any

from ppcls.cli.common import add_option
from ppcls.cli.measuring import number
from ppcls.cli.optional_config import add_optional_config, read_optional_config
from ppcls.cli.parser import CommandParser
from ppcls.cli.pictures import add_data, read_data
from ppcls.utils.load_paddle import load_paddle


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "bundle", metavar="BUNDLE", help="the folder that `ppcls export` wrote"
    )
    add_option(
        command, "--backend", old=["--backends"], metavar="LIST", default="all",
        help="all, or engines with or without a precision: openvino,onnxruntime:int8 (default: all)",
    )  # fmt: skip
    add_data(command)
    command.add_argument(
        "--device",
        choices=("cpu", "gpu"),
        default="cpu",
        help="where they run (default: cpu)",
    )
    command.add_argument(
        "--batch-size",
        metavar="N",
        type=number,
        default=8,
        help="pictures at a time (default: 8)",
    )
    command.add_argument(
        "--threads",
        metavar="N",
        type=number,
        help="of the kernels (default: the cores)",
    )
    command.add_argument(
        "--calib",
        metavar="LIST",
        help="for trt:int8: pictures that TensorRT calibrates on, a list or a folder",
    )
    text = "compare with the model of this configuration and its weights, not with the exported float32 program"
    add_optional_config(command, text)


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    from ppcls.deployment.verify.run import verify
    from ppcls.inference.bundle import Bundle

    bundle = Bundle.load(arguments.bundle)
    data = read_data(arguments, bundle) if arguments.data else None
    report = verify(
        bundle,
        arguments.backend,
        data,
        reference=_model(arguments),
        device=arguments.device,
        batch_size=arguments.batch_size,
        threads=arguments.threads,
        calibration=arguments.calib,
    )
    print(report.table())
    return 1 if report.failures else 0


def _model(arguments: argparse.Namespace) -> Any:
    """The configured model, on the CPU, as a backend; None without a configuration."""
    config = read_optional_config(arguments, with_weights=True)
    if config is None:
        return None
    load_paddle()
    from ppcls.engine.export import reference

    return reference(config)
