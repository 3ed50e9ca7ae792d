"""`ppcls benchmark latency`: the published tables of latencies, on the user's machine."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Tuple

from ppcls.cli.common import new_command
from ppcls.cli.measuring import add_plan, backends, numbers, plan_of, precisions, say_if_busy, words
from ppcls.utils.errors import UserError

if TYPE_CHECKING:
    from ppcls.inference.bundle import Bundle
    from ppcls.inference.measure.sheet import Facts

_UNTRAINED = "The models were exported with their initial weights, which does not change how long they take."


def add(commands: Any) -> None:
    """Declares the command."""
    text = "latency of models by engine, precision and batch size, beside the published figures"
    command = new_command(commands, "latency", text, _run)
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--models", metavar="PATTERNS", type=words, help="shell patterns, exported untrained: 'DLA*,DPN68'"
    )
    what.add_argument("--bundles", metavar="DIR", nargs="+", help="folders that `ppcls export` wrote")
    command.add_argument("--batch", metavar="LIST", type=numbers, default=[1, 4, 8], help="(default: 1,4,8)")
    command.add_argument(
        "--precision", metavar="LIST", type=precisions, default=["float32"], help="such as fp32,fp16 (default: fp32)"
    )
    command.add_argument(
        "--backend", metavar="LIST", type=backends, default=["paddle"],
        help="of paddle, onnxruntime, openvino and trt (default: paddle)",
    )  # fmt: skip
    command.add_argument("--threads", metavar="N", type=int, help="of the CPU (default: all cores)")
    add_plan(command, rounds=5)
    command.add_argument(
        "--out", metavar="DIR", help="also write latency.md, .csv, .json and plots there; goes on where it was interrupted"
    )


def _run(arguments: argparse.Namespace) -> int:
    from ppcls.inference.measure.latency import Way, measure_latency
    from ppcls.inference.measure.machine import this_machine
    from ppcls.inference.measure.sheet import Sheet
    from ppcls.inference.settings import Settings

    plan = plan_of(arguments)
    try:
        settings = Settings(device=arguments.device, threads=arguments.threads)
    except ValueError as error:
        raise UserError(str(error)) from error
    ways = [Way(b, p, n) for b in arguments.backend for p in arguments.precision for n in arguments.batch]
    targets = _models(arguments.models) if arguments.models else _bundles(arguments.bundles)
    heading = {
        "measured on": str(this_machine(arguments.device)),
        "device": arguments.device,
        "threads": str(arguments.threads or "all cores") if arguments.device == "cpu" else "of the GPU",
        "method": str(plan),
    }
    facts: Dict[str, Facts] = {}
    sheet = Sheet(heading, facts, [_UNTRAINED] if arguments.models else [])
    if arguments.out:
        sheet.resume(arguments.out)
    say_if_busy()
    for model, opened in targets:
        missing = sheet.missing(model, ways)
        with opened as bundle:
            ...
    return 0
