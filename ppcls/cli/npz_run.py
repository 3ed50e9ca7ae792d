"""`ppcls npz run`."""

from __future__ import annotations

import argparse

from ppcls.cli.benchmark_options import precision
from ppcls.cli.parser import CommandParser, add_option
from ppcls.deployment.npz.results import run_inputs
from ppcls.deployment.verify.forms import Form
from ppcls.inference.backends import open_backend
from ppcls.inference.backends.default import default_settings
from ppcls.inference.bundle import Bundle
from ppcls.inference.settings import resolve

WORKS_ON = "a bundle, and the inputs that `ppcls npz make` wrote"
EXAMPLES = (
    "ppcls npz run inference --datalist npz/npz_datalist.txt --output results",
    "ppcls npz run inference --datalist npz/npz_datalist.txt --output results --backend openvino",
    "ppcls npz run inference --datalist npz/npz_datalist.txt --output results --batch-size 8 --device gpu",
)


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "bundle", metavar="BUNDLE", help="the folder that `ppcls export` wrote"
    )
    command.add_argument(
        "--datalist",
        metavar="FILE",
        required=True,
        help="the list of the inputs, one path per line",
    )
    add_option(
        command,
        "--output",
        old=["--results"],
        metavar="DIR",
        required=True,
        help="the folder of the results",
    )
    command.add_argument(
        "--backend", metavar="NAME", help="the backend (default: that of the bundle)"
    )
    command.add_argument(
        "--precision",
        metavar="NAME",
        type=precision,
        help="the precision (default: that of the bundle)",
    )
    command.add_argument(
        "--device",
        choices=("cpu", "gpu"),
        help="the device (default: that of the bundle)",
    )
    command.add_argument(
        "--batch-size",
        metavar="N",
        type=int,
        default=8,
        help="inputs at a time (default: 8)",
    )
    command.add_argument(
        "--threads",
        metavar="N",
        type=int,
        help="threads of kernels and of reading (default: the number of cores)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the scores, and return the exit code."""
    bundle = Bundle.load(arguments.bundle)
    settings = resolve(
        bundle.settings or default_settings(bundle),
        backend=arguments.backend,
        precision=arguments.precision,
        device=arguments.device,
        threads=arguments.threads,
    )
    form = Form(settings.backend, settings.precision)
    done = run_inputs(
        bundle,
        open_backend(bundle, settings),
        form,
        arguments.datalist,
        arguments.output,
        arguments.batch_size,
        arguments.threads,
    )
    print(f"{arguments.output}: {form}, {done}")
    return 0
