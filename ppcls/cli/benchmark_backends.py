"""`ppcls benchmark backends`: the fastest engine for a bundle on this machine, written into its settings."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ppcls.cli.common import new_command
from ppcls.cli.measuring import add_plan, numbers, plan_of, precisions, say_if_busy
from ppcls.utils.errors import UserError

if TYPE_CHECKING:
    from ppcls.inference.measure.backends import Gate

_BATCH = {"throughput": 8, "latency": 1}


def add(commands: Any) -> None:
    """Declares the command."""
    text = "measure the installed engines and precisions for a bundle, and write the fastest allowed one into it"
    command = new_command(commands, "backends", text, _run)
    command.add_argument("bundle", metavar="BUNDLE", help="the folder that `ppcls export` wrote")
    command.add_argument(
        "--precisions", metavar="LIST", type=precisions,
        help="what to measure (default: float32,bfloat16,int8 on a cpu, float32,float16 on a gpu)",
    )  # fmt: skip
    command.add_argument(
        "--allow", metavar="LIST", type=precisions, default=[],
        help="precisions besides float32 that may be chosen, if `ppcls verify` passes them",
    )  # fmt: skip
    command.add_argument("--data", metavar="LIST", help="`path label` lines that `--allow` is verified with")
    command.add_argument(
        "--goal", choices=tuple(_BATCH), default="throughput",
        help="pictures a second with all requests running, or the time of one batch alone (default: throughput)",
    )  # fmt: skip
    command.add_argument(
        "--batch", metavar="N", type=int, help="pictures a batch (default: 8, or 1 with --goal latency)"
    )
    command.add_argument(
        "--requests", metavar="LIST", type=numbers, default=[1], help="batches that run at the same time (default: 1)"
    )
    command.add_argument(
        "--threads",
        metavar="LIST",
        type=numbers,
        help="(default: all cores, and half of them where there are 4 or more)",
    )
    add_plan(command, rounds=12)
    command.add_argument("--dry-run", action="store_true", help="write nothing into the bundle")
    command.add_argument("--reset", action="store_true", help="only take the settings out of the bundle")


def _run(arguments: argparse.Namespace) -> int:
    from ppcls.inference.bundle import MANIFEST_FILE, Bundle
    from ppcls.inference.measure import backends
    from ppcls.inference.measure.machine import this_machine
    from ppcls.utils.cpu import usable_cores

    bundle = Bundle.load(arguments.bundle)
    manifest = bundle.folder / MANIFEST_FILE
    before = backends.described(bundle.settings) if bundle.settings else "none"
    if arguments.reset:
        replace(bundle, settings=None).save()
        print(f"{manifest}: settings are taken out (they were: {before})")
        return 0
    plan = plan_of(arguments)
    batch = arguments.batch or _BATCH[arguments.goal]
    allowed = {"float32", *arguments.allow}
    tried = backends.candidates(
        arguments.device,
        arguments.precisions or ["float32", *(["bfloat16", "int8"] if arguments.device == "cpu" else ["float16"])],
        arguments.threads or backends.threads_worth_trying(usable_cores()),
        arguments.requests,
    )
    say_if_busy()
    print(f"{bundle.architecture} in {bundle.folder}, goal {arguments.goal}")
    print(f"{this_machine(arguments.device)}\n{plan}\n")
    measured = backends.measure(bundle, tried, batch, arguments.goal, plan, allowed, _gate(arguments))
    print(backends.table(measured, batch))
    chosen = backends.choose(measured)
    if chosen is None:
        raise UserError(
            f"{bundle.folder}: no candidate may be chosen, so the settings stay as they are; the table's last column "
            "says why"
        )
    said = backends.described(chosen.settings)
    if arguments.dry_run:
        print(f"--dry-run: {manifest} stays as it is (settings: {before}); chosen would be: {said}")
        return 0
    replace(bundle, settings=chosen.settings).save()
    print(
        f"written to {manifest}: {said} (before: {before}); `ppcls benchmark backends {arguments.bundle} --reset` "
        "takes the settings out again"
    )
    return 0


def _gate(arguments: argparse.Namespace) -> Gate:
    """float32 is compared with the bundle's golden scores, what `--allow` opens is verified as `ppcls verify` does."""
    from ppcls.inference.measure.backends import golden_gate

    return golden_gate
