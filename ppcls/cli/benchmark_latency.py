"""`ppcls benchmark latency`: the published tables of latencies, on the user's machine."""

from __future__ import annotations

import argparse
import sys
from itertools import product

from ppcls.benchmark.latency import LatencyCase
from ppcls.benchmark.latency_run import (
    fill_latency_sheet,
    open_sheet,
    write_with_plots,
)
from ppcls.benchmark.latency_targets import bundle_targets, untrained_targets
from ppcls.benchmark.machine import this_machine
from ppcls.benchmark.sheet import claimed_sheet
from ppcls.cli.benchmark_options import (
    add_plan,
    backends,
    number,
    numbers,
    plan_of,
    precisions,
    to_stderr,
    warn_if_busy,
    words,
)
from ppcls.cli.parser import CommandParser, add_option
from ppcls.inference.settings import Settings
from ppcls.utils.terminal import LINE_WIDTH, width_of, wrapped

WORKS_ON = "models by their names, or bundles"
EXAMPLES = (
    "ppcls benchmark latency --models 'DLA34,SqueezeNet*'",
    "ppcls benchmark latency --bundles inference adopted --batch-size 1,8",
    "ppcls benchmark latency --models DLA34 --backend paddle,openvino --precision float32,bfloat16 --output latency",
)

_UNTRAINED = "The models were exported with their initial weights, which does not change how long they take."


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    models = command.add_mutually_exclusive_group(required=True)
    models.add_argument(
        "--models", metavar="PATTERNS", type=words,
        help="models whose names match, exported untrained: 'DLA*,DPN68'",
    )  # fmt: skip
    models.add_argument(
        "--bundles", metavar="DIR", nargs="+", help="folders that `ppcls export` wrote"
    )
    add_option(
        command, "--batch-size", old=["--batch"], metavar="LIST", type=numbers,
        default=[1, 4, 8], help="pictures per batch (default: 1,4,8)",
    )  # fmt: skip
    command.add_argument(
        "--precision", metavar="LIST", type=precisions, default=["float32"],
        help="such as float32,float16 (default: float32)",
    )  # fmt: skip
    command.add_argument(
        "--backend", metavar="LIST", type=backends, default=["paddle"],
        help="some of paddle, paddle-openvino, onnxruntime, openvino and trt (default: paddle)",
    )  # fmt: skip
    command.add_argument(
        "--threads", metavar="N", type=number, help="CPU threads (default: all cores)"
    )
    add_plan(command, rounds=5)
    add_option(
        command, "--output", old=["--out"], metavar="DIR",
        help="write latency.md, .csv, .json and plots there, too; an interrupted run is resumed",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    plan = plan_of(arguments)
    settings = Settings(device=arguments.device, threads=arguments.threads)
    combinations = product(arguments.backend, arguments.precision, arguments.batch_size)
    cases = [LatencyCase(*combination) for combination in combinations]
    machine = this_machine(arguments.device)
    output = arguments.output
    with claimed_sheet(output, "latency"):
        notes = [_UNTRAINED] if arguments.models else []
        sheet = open_sheet(output, machine, settings, plan, notes)
        if arguments.models:
            targets = untrained_targets(arguments.models)
        else:
            targets = bundle_targets(arguments.bundles)
        warn_if_busy()
        fill_latency_sheet(sheet, targets, cases, settings, plan, to_stderr)
        width = width_of(sys.stdout) or LINE_WIDTH
        print(wrapped(sheet.for_terminal(width), sys.stdout))
        if output is not None:
            files = write_with_plots(sheet, output, machine.device, to_stderr)
            to_stderr("written: " + ", ".join(map(str, files)))
    return 0
