"""Options that the subjects of `ppcls benchmark` share."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Collection, Mapping

from ppcls.benchmark import machine
from ppcls.benchmark.timing import Plan
from ppcls.cli.parser import CommandParser, accept
from ppcls.inference.settings import BACKENDS, PRECISIONS
from ppcls.utils.cpu import usable_cores
from ppcls.utils.errors import UserError, translated

# The short names that PaddleClas and TensorRT use
_PRECISIONS = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
_OTHER_NAMES = {"ort": "onnxruntime", "tensorrt": "trt"}


def words(text: str) -> list[str]:
    """`a,b` as a list without repetition."""
    found = dict.fromkeys(word.strip() for word in text.split(","))
    found.pop("", None)
    accept(found, "the list is empty; write values with commas between")
    return list(found)


def numbers(text: str) -> list[int]:
    """`1,4,8` as a list without repetition."""
    with translated(
        ValueError,
        lambda error: argparse.ArgumentTypeError(
            f"{text!r} is not a list of whole numbers; write some such as 1,4,8"
        ),
    ):
        found = [int(word) for word in words(text)]
    least = min(found)
    accept(least >= 1, f"{least} is in the list; write whole numbers from 1")
    return found


def number(text: str) -> int:
    """A whole number from 1."""
    accept(
        re.fullmatch(r"0*[1-9]\d*", text.strip()),
        f"{text!r} is not a whole number from 1",
    )
    return int(text)


def precision(text: str) -> str:
    """A precision by its long name; the short name `fp16` is accepted."""
    return _PRECISIONS.get(text, text)


def precisions(text: str) -> list[str]:
    """`fp32,int8` as a list of precisions by their long names."""
    return _known(text, _PRECISIONS, PRECISIONS)


def backends(text: str) -> list[str]:
    """`paddle,trt` as a list of backends."""
    return _known(text, _OTHER_NAMES, BACKENDS)


def add_plan(command: CommandParser, rounds: int) -> None:
    """`--device`, `--rounds`, `--settle` and `--span`: what is measured on, and how much."""
    command.add_argument(
        "--device", choices=("cpu", "gpu"), default="cpu", help="(default: cpu)"
    )
    command.add_argument(
        "--rounds", metavar="N", type=number, default=rounds,
        help=f"how often each candidate is timed (default: {rounds})",
    )  # fmt: skip
    command.add_argument(
        "--settle", metavar="SECONDS", type=float, default=0.25,
        help="warm-up of a candidate in each round (default: 0.25)",
    )  # fmt: skip
    command.add_argument(
        "--span", metavar="SECONDS", type=float, default=0.5,
        help="timed calls of a candidate in each round (default: 0.5)",
    )  # fmt: skip


def plan_of(arguments: argparse.Namespace) -> Plan:
    """The plan that `add_plan` declared.

    Raises:
        UserError: A value is impossible.
    """
    with translated(ValueError, lambda error: UserError(str(error))):
        return Plan(arguments.rounds, arguments.settle, arguments.span)


def warn_if_busy() -> None:
    """Warn on standard error if other programs are running; call it before anything is measured."""
    warning = machine.busy(usable_cores(), machine.running_threads())
    if warning:
        print(f"warning: {warning}", file=sys.stderr)


def to_stderr(line: str) -> None:
    """Print a line about the progress."""
    print(line, file=sys.stderr)


def _known(text: str, short: Mapping[str, str], known: Collection[str]) -> list[str]:
    found = [short.get(word, word) for word in words(text)]
    for word in found:
        accept(word in known, f"{word!r} is unknown; write some of {','.join(known)}")
    return list(dict.fromkeys(found))
