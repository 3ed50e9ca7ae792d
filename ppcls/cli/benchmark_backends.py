"""`ppcls benchmark backends`: the fastest engine for a bundle on this machine, written into its settings."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ppcls.cli.common import add_option
from ppcls.cli.measuring import (
    add_plan,
    number,
    numbers,
    plan_of,
    precisions,
    require_writable,
    say_if_busy,
)
from ppcls.cli.parser import CommandParser
from ppcls.cli.pictures import add_data, read_data
from ppcls.utils.errors import UserError

if TYPE_CHECKING:
    from ppcls.benchmark.backends import Gate, Measurement
    from ppcls.inference.bundle import Bundle
    from ppcls.inference.settings import Settings

_BATCH = {"throughput": 8, "latency": 1}


def add_arguments(command: CommandParser) -> None:
    """Declare the arguments."""
    command.add_argument(
        "bundle", metavar="BUNDLE", help="the folder that `ppcls export` wrote"
    )
    add_option(
        command, "--precision", old=["--precisions"], metavar="LIST", type=precisions,
        help="what to measure (default: float32,bfloat16,int8 on a cpu, float32,float16 on a gpu)",
    )  # fmt: skip
    command.add_argument(
        "--allow", metavar="LIST", type=precisions, default=[],
        help="precisions besides float32 that may be chosen if `ppcls verify` passes them on --data",
    )  # fmt: skip
    add_data(command)
    command.add_argument(
        "--goal", choices=tuple(_BATCH), default="throughput",
        help="pictures a second with all requests running, or the time of one batch alone (default: throughput)",
    )  # fmt: skip
    add_option(
        command,
        "--batch-size",
        old=["--batch"],
        metavar="N",
        type=number,
        help="pictures a batch (default: 8, or 1 with --goal latency)",
    )
    command.add_argument(
        "--requests",
        metavar="LIST",
        type=numbers,
        default=[1],
        help="batches that run at the same time (default: 1)",
    )
    command.add_argument(
        "--threads",
        metavar="LIST",
        type=numbers,
        help="(default: all cores, and half of them where there are 4 or more)",
    )
    add_plan(command, rounds=6)
    command.add_argument(
        "--dry-run", action="store_true", help="write nothing into the bundle"
    )
    command.add_argument(
        "--reset", action="store_true", help="only take the settings out of the bundle"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    from ppcls.benchmark.backends import PASSES, measure
    from ppcls.benchmark.candidates import table
    from ppcls.benchmark.machine import this_machine
    from ppcls.inference.bundle import Bundle

    bundle = Bundle.load(arguments.bundle)
    if arguments.reset:
        return _reset(bundle)
    if not arguments.dry_run:
        require_writable(bundle.folder, "write --dry-run to measure alone")
    plan, tried, gate = plan_of(arguments), _tried(arguments), _gate(bundle, arguments)
    batch = arguments.batch_size or _BATCH[arguments.goal]
    allowed = {"float32", *arguments.allow}
    say_if_busy()
    print(
        f"{bundle.architecture} in {bundle.folder}, goal {arguments.goal}\n{this_machine(arguments.device)}"
    )
    print(f"2 to {PASSES} passes of {plan}\n")
    measured = measure(bundle, tried, batch, arguments.goal, plan, allowed, gate)
    print(table(measured.candidates, batch))
    _write(bundle, measured, arguments)
    return 0


def _tried(arguments: argparse.Namespace) -> list[Settings]:
    from ppcls.benchmark.candidates import candidates, threads_worth_trying
    from ppcls.inference.settings import offered_on
    from ppcls.utils.cpu import usable_cores

    precisions = arguments.precision or offered_on(arguments.device)
    threads = arguments.threads or threads_worth_trying(usable_cores())
    return candidates(arguments.device, precisions, threads, arguments.requests)


def _reset(bundle: Bundle) -> int:
    bundle.change(settings=None)
    print(f"{_manifest(bundle)}: settings are taken out (they were: {_before(bundle)})")
    return 0


def _write(
    bundle: Bundle, measured: Measurement, arguments: argparse.Namespace
) -> None:
    """Writes the winner's settings, unless --dry-run, and says so.

    Raises:
        UserError: there is no winner.
    """
    from ppcls.benchmark.candidates import choose, described

    chosen = choose(measured.candidates)
    if chosen is None:
        raise UserError(
            f"{bundle.folder}: no candidate may be chosen, so the settings stay as they are; the table's last column "
            "says why"
        )
    print(
        f"in each half of the calls, the chosen one takes at most x {measured.doubt:.3f} of the fastest one's time"
    )
    if not measured.settled:
        print(
            "warning: the two halves disagree about the fastest one; measure again when the machine is quiet, or with "
            "more --rounds",
            file=sys.stderr,
        )
    said, before = described(chosen.settings), _before(bundle)
    if arguments.dry_run:
        print(
            f"--dry-run: {_manifest(bundle)} stays as it is (settings: {before}); chosen would be: {said}"
        )
        return
    bundle.change(settings=chosen.settings)
    print(
        f"written to {_manifest(bundle)}: {said} (before: {before}); "
        f"`ppcls benchmark backends {bundle.folder} --reset` takes the settings out again"
    )


def _manifest(bundle: Bundle) -> Path:
    from ppcls.inference.bundle import MANIFEST_FILE

    return bundle.folder / MANIFEST_FILE


def _before(bundle: Bundle) -> str:
    from ppcls.benchmark.candidates import described

    return described(bundle.settings) if bundle.settings else "none"


def _gate(bundle: Bundle, arguments: argparse.Namespace) -> Gate:
    from ppcls.benchmark.backends import verifying_gate

    lower = [precision for precision in arguments.allow if precision != "float32"]
    if lower and not arguments.data:
        raise UserError(
            f"--allow {','.join(lower)} needs pictures to verify with; write --data LIST as well"
        )
    if arguments.data and not lower:
        raise UserError(
            "--data is what --allow is verified with; write --allow bfloat16, or leave --data out"
        )
    data = read_data(arguments, bundle) if arguments.data else None
    return verifying_gate(data, arguments.device)
