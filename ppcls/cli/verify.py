"""`ppcls verify`: every backend and precision of a bundle against the model in float32."""

from __future__ import annotations

import argparse

from ppcls.cli.benchmark_options import number
from ppcls.cli.configured import add_optional_config, read_optional_config
from ppcls.cli.parser import CommandParser, add_option
from ppcls.cli.pictures import add_data, read_data
from ppcls.cli.temperature import add_temperature, temperature_of
from ppcls.deployment.verify.run import verify
from ppcls.inference.backends import Backend
from ppcls.inference.bundle import Bundle
from ppcls.utils.errors import expect
from ppcls.utils.load_paddle import load_paddle

WORKS_ON = "a bundle, and pictures where they are given"
EXAMPLES = (
    "ppcls verify inference",
    "ppcls verify inference --data val.txt --backend openvino",
    "ppcls verify inference -c flowers.yaml",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "bundle", metavar="BUNDLE", help="the folder that `ppcls export` wrote"
    )
    add_option(
        command, "--backend", old=["--backends"], metavar="LIST", default="all",
        help="all, or backends with or without a precision: openvino,onnxruntime:int8 (default: all)",
    )  # fmt: skip
    add_data(command)
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
        help="threads of the kernels (default: all cores)",
    )  # fmt: skip
    command.add_argument(
        "--calib", metavar="LIST",
        help="for trt:int8: pictures that TensorRT calibrates on, a list or a folder",
    )  # fmt: skip
    text = "compare with the model of this configuration and its weights, not with the exported float32 program"
    add_optional_config(command, text)
    add_temperature(command)


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
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


def _model(arguments: argparse.Namespace) -> Backend | None:
    """The configured model, on the CPU, as a backend; None without a configuration."""
    temperature = temperature_of(arguments)
    config = read_optional_config(arguments, with_weights=True)
    if config is None:
        expect(
            temperature is None,
            "--temperature is for the model of a configuration, which the bundle is compared with; give -c as well",
        )
        return None
    load_paddle()
    # Imports Paddle
    from ppcls.engine.export import reference

    return reference(config, temperature)
