"""`ppcls benchmark backends`: the fastest backend for a bundle on this machine, written into its settings."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ppcls.benchmark import backends
from ppcls.benchmark.candidates import (
    candidate_table,
    candidates,
    choose,
    described,
    threads_worth_trying,
)
from ppcls.benchmark.machine import this_machine
from ppcls.benchmark.sheet import require_writable
from ppcls.cli.benchmark_options import (
    add_plan,
    number,
    numbers,
    plan_of,
    precisions,
    to_stderr,
    warn_if_busy,
)
from ppcls.cli.parser import CommandParser, add_option
from ppcls.cli.pictures import add_data, read_data
from ppcls.inference.bundle import MANIFEST_FILE, Bundle
from ppcls.inference.settings import Settings, offered_on
from ppcls.utils.cpu import usable_cores
from ppcls.utils.errors import UserError
from ppcls.utils.terminal import wrapped

WORKS_ON = "a bundle, into which the fastest settings are written"
EXAMPLES = (
    "ppcls benchmark backends inference",
    "ppcls benchmark backends inference --allow float32,bfloat16 --goal latency",
    "ppcls benchmark backends inference --dry-run",
)

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
        help="pictures per second with all requests running, or the time of one batch alone (default: throughput)",
    )  # fmt: skip
    add_option(
        command, "--batch-size", old=["--batch"], metavar="N", type=number,
        help="pictures per batch (default: 8, or 1 with --goal latency)",
    )  # fmt: skip
    command.add_argument(
        "--requests", metavar="LIST", type=numbers, default=[1],
        help="batches that run at the same time (default: 1)",
    )  # fmt: skip
    command.add_argument(
        "--threads", metavar="LIST", type=numbers,
        help="(default: all cores, and half of them where there are 4 or more)",
    )  # fmt: skip
    add_plan(command, rounds=6)
    command.add_argument(
        "--dry-run", action="store_true", help="write nothing into the bundle"
    )
    command.add_argument(
        "--reset", action="store_true", help="only remove the settings from the bundle"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code."""
    bundle = Bundle.load(arguments.bundle)
    if arguments.reset:
        bundle.change(settings=None)
        print(f"{_manifest(bundle)}: settings removed (they were: {_before(bundle)})")
        return 0
    if not arguments.dry_run:
        require_writable(bundle.folder, "write --dry-run to measure without writing")
    plan = plan_of(arguments)
    tried = candidates(
        arguments.device,
        arguments.precision or offered_on(arguments.device),
        arguments.threads or threads_worth_trying(usable_cores()),
        arguments.requests,
    )
    gate = _gate(bundle, arguments)
    batch = arguments.batch_size or _BATCH[arguments.goal]
    warn_if_busy()
    print(f"{bundle.architecture} in {bundle.folder}, goal {arguments.goal}")
    print(this_machine(arguments.device))
    print(f"2 to {backends.PASSES} passes of {plan}\n")
    allowed = {"float32", *arguments.allow}
    measured = backends.measure_backends(
        bundle, tried, batch, arguments.goal, plan, allowed, gate
    )
    print(wrapped(candidate_table(measured.candidates, batch), sys.stdout))
    chosen = choose(measured.candidates)
    if chosen is None:
        raise UserError(
            f"{bundle.folder}: no candidate may be chosen, so the settings are unchanged; the lines below the table "
            "say why"
        )
    _report_choice(measured)
    _write(bundle, chosen.settings, arguments.dry_run)
    return 0


def _gate(bundle: Bundle, arguments: argparse.Namespace) -> backends.Gate:
    """Read the pictures that lower precisions are verified with."""
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
    return backends.verifying_gate(data, arguments.device)


def _report_choice(measured: backends.BackendMeasurement) -> None:
    print(
        f"in each half of the calls, the chosen one takes at most x {measured.worst_ratio:.3f} of the fastest one's "
        "time"
    )
    if not measured.settled:
        to_stderr(
            "warning: the two halves disagree about the fastest one; measure again when the machine is quiet, or with "
            "more --rounds"
        )


def _write(bundle: Bundle, settings: Settings, is_dry_run: bool) -> None:
    manifest, before, after = _manifest(bundle), _before(bundle), described(settings)
    if is_dry_run:
        print(
            f"--dry-run: {manifest} is unchanged (settings: {before}); chosen would be: {after}"
        )
        return
    bundle.change(settings=settings)
    print(
        f"written to {manifest}: {after} (before: {before}); "
        f"`ppcls benchmark backends {bundle.folder} --reset` removes the settings again"
    )


def _manifest(bundle: Bundle) -> Path:
    return bundle.folder / MANIFEST_FILE


def _before(bundle: Bundle) -> str:
    if bundle.settings:
        return described(bundle.settings)
    return "none"
