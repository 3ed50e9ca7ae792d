"""`ppcls benchmark latency`: the published tables of latencies, on the user's machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ppcls.benchmark.latency_targets import Target, given, untrained
from ppcls.cli.common import add_option
from ppcls.cli.measuring import (
    add_plan,
    backends,
    claimed_sheet,
    number,
    numbers,
    plan_of,
    precisions,
    say_if_busy,
    words,
)
from ppcls.cli.parser import CommandParser
from ppcls.utils.errors import UserError

if TYPE_CHECKING:
    from ppcls.benchmark.latency import Way
    from ppcls.benchmark.sheet import Facts, Sheet
    from ppcls.benchmark.timing import Plan
    from ppcls.inference.settings import Settings

_UNTRAINED = "The models were exported with their initial weights, which does not change how long they take."


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--models",
        metavar="PATTERNS",
        type=words,
        help="shell patterns, exported untrained: 'DLA*,DPN68'",
    )
    what.add_argument(
        "--bundles", metavar="DIR", nargs="+", help="folders that `ppcls export` wrote"
    )
    add_option(
        command,
        "--batch-size",
        old=["--batch"],
        metavar="LIST",
        type=numbers,
        default=[1, 4, 8],
        help="(default: 1,4,8)",
    )
    command.add_argument(
        "--precision",
        metavar="LIST",
        type=precisions,
        default=["float32"],
        help="such as float32,float16 (default: float32)",
    )
    command.add_argument(
        "--backend", metavar="LIST", type=backends, default=["paddle"],
        help="of paddle, onnxruntime, openvino and trt (default: paddle)",
    )  # fmt: skip
    command.add_argument(
        "--threads", metavar="N", type=number, help="of the CPU (default: all cores)"
    )
    add_plan(command, rounds=5)
    add_option(
        command,
        "--output",
        old=["--out"],
        metavar="DIR",
        help="also write latency.md, .csv, .json and plots there; goes on where it was interrupted",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    from ppcls.benchmark.latency import Way
    from ppcls.inference.settings import Settings

    plan, settings = (
        plan_of(arguments),
        Settings(device=arguments.device, threads=arguments.threads),
    )
    ways = [
        Way(b, p, n)
        for b in arguments.backend
        for p in arguments.precision
        for n in arguments.batch_size
    ]
    with claimed_sheet(arguments.output, "latency"):
        return _fill_sheet(arguments, ways, settings, plan)


def _fill_sheet(
    arguments: argparse.Namespace, ways: Sequence[Way], settings: Settings, plan: Plan
) -> int:
    """Measures what the sheet lacks, and writes it."""
    from ppcls.benchmark.machine import this_machine

    machine = this_machine(arguments.device)
    sheet = _sheet(arguments, str(machine), str(plan))
    targets = (
        untrained(arguments.models) if arguments.models else given(arguments.bundles)
    )
    say_if_busy()
    for place, (model, target) in enumerate(targets.items(), 1):
        measured = _measure(sheet, model, target, ways, settings, plan)
        if measured and arguments.output and not sheet.is_empty():
            sheet.write(arguments.output)
        said = "measured" if measured else "was measured before"
        print(f"{model}: {said} ({place} of {len(targets)})", file=sys.stderr)
    if sheet.is_empty():
        raise UserError(f"nothing could be measured: {sheet.rows[0].reason}")
    print(sheet.markdown())
    if arguments.output:
        _write(sheet, arguments.output, machine.device)
    return 0


def _measure(
    sheet: Sheet,
    model: str,
    target: Target,
    ways: Sequence[Way],
    settings: Settings,
    plan: Plan,
) -> bool:
    """Adds the rows that the sheet does not have; whether there were any to add."""
    from ppcls.benchmark.latency import measure_latency

    sheet.keep(model, target.digest_of)
    missing = sheet.missing(model, ways)
    if missing:
        with target.opened() as (bundle, open_it):
            rows = measure_latency(model, bundle, missing, settings, plan, open_it)
        sheet.rows += [
            replace(row, form_digest=target.digest_of(row.way)) for row in rows
        ]
    return bool(missing)


def _sheet(arguments: argparse.Namespace, machine: str, method: str) -> Sheet:
    """A sheet with the rows that an earlier run left in --output."""
    from ppcls.benchmark.sheet import Sheet

    threads = (
        {"threads": str(arguments.threads or "all cores")}
        if arguments.device == "cpu"
        else {}
    )
    heading = {
        "machine": machine,
        "device": arguments.device,
        **threads,
        "method": method,
    }
    sheet = Sheet(heading, _facts(), [_UNTRAINED] if arguments.models else [])
    if arguments.output:
        sheet.resume(arguments.output)
    return sheet


def _write(sheet: Sheet, folder: str, device: str) -> None:
    """Tables, and plots where there is something to draw with; says what was written."""
    from ppcls.benchmark.plot import require_matplotlib
    from ppcls.benchmark.sheet_plots import write_plots

    files = sheet.write(folder)
    try:
        require_matplotlib()
        files += write_plots(sheet, folder, device)
    except UserError as error:
        print(f"no plots: {error}", file=sys.stderr)
    print("written: " + ", ".join(map(str, files)), file=sys.stderr)


def _facts() -> dict[str, Facts]:
    from ppcls.arch.model_table import LATENCIES, LATENCY_BATCHES, MODELS, Published
    from ppcls.benchmark.sheet import Facts

    return {
        name: Facts(
            info.trainable_params / 1e6,
            info.flops / 1e9,
            info.published.get("paddleclas", Published()).top1,
            {
                kind: dict(zip(LATENCY_BATCHES, found))
                for kind, of in LATENCIES.items()
                if (found := of(info))
            },
        )
        for name, info in MODELS.items()
        if info.trainable_params is not None and info.flops is not None
    }
