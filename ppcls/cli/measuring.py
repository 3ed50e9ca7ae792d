"""What the arguments of `ppcls benchmark` have in common."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike
from ppcls.utils.lock import claimed

if TYPE_CHECKING:
    from ppcls.benchmark.timing import Plan

# PaddleClas and TensorRT write the short names.
_PRECISIONS = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
_BACKENDS = {"ort": "onnxruntime", "tensorrt": "trt"}


@contextlib.contextmanager
def claimed_sheet(folder: PathLike | None, name: str) -> Iterator[None]:
    """Keeps other processes from a folder's sheet of figures, whose rows they would lose; without one does nothing.

    Raises:
        UserError: another process is filling it, it cannot be written to, or has files of the sheet's names that are
            not ours.
    """
    if folder is None:
        yield
        return
    files = [Path(folder) / f"{name}{suffix}" for suffix in (".json", ".csv", ".md")]
    there = [file for file in files if file.exists()]
    if there and files[0] not in there:
        raise UserError(
            f"{there[0]} is there already, and no {files[0].name} beside it; give another --output"
        )
    # Makes the folder, too, which goes again if nothing was measured.
    with claimed(files[0], "writing", "wait until it ends, or give another --output"):
        require_writable(folder, "give another --output")
        yield


def words(text: str) -> list[str]:
    """`a,b` as a list without repetition."""
    found = list(
        dict.fromkeys(word.strip() for word in text.split(",") if word.strip())
    )
    if not found:
        raise argparse.ArgumentTypeError(
            "names nothing; write values with commas between"
        )
    return found


def numbers(text: str) -> list[int]:
    """`1,4,8` as a list without repetition."""
    try:
        found = [int(word) for word in words(text)]
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of whole numbers; write some such as 1,4,8"
        ) from error
    if min(found) < 1:
        raise argparse.ArgumentTypeError(
            f"{min(found)} is in the list; write whole numbers from 1"
        )
    return found


def number(text: str) -> int:
    """A whole number from 1."""
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def precisions(text: str) -> list[str]:
    """`fp32,int8` as a list of precisions by their long names."""
    from ppcls.inference.settings import PRECISIONS

    return _known(text, _PRECISIONS, PRECISIONS)


def backends(text: str) -> list[str]:
    """`paddle,trt` as a list of backends."""
    from ppcls.inference.settings import ENGINES

    return _known(text, _BACKENDS, ENGINES)


def add_plan(command: Any, rounds: int) -> None:
    """How much is measured, and on what."""
    command.add_argument(
        "--device", choices=("cpu", "gpu"), default="cpu", help="(default: cpu)"
    )
    command.add_argument(
        "--rounds",
        metavar="N",
        type=number,
        default=rounds,
        help=f"turns of each candidate (default: {rounds})",
    )
    command.add_argument(
        "--settle",
        metavar="SECONDS",
        type=float,
        default=0.25,
        help="warm-up of each turn (default: 0.25)",
    )
    command.add_argument(
        "--span",
        metavar="SECONDS",
        type=float,
        default=0.5,
        help="timed calls of each turn (default: 0.5)",
    )


def plan_of(arguments: argparse.Namespace) -> Plan:
    """What `add_plan` declared.

    Raises:
        UserError: a value is impossible.
    """
    from ppcls.benchmark.timing import Plan

    try:
        return Plan(arguments.rounds, arguments.settle, arguments.span)
    except ValueError as error:
        raise UserError(str(error)) from error


def require_writable(folder: PathLike, remedy: str) -> None:
    """Checks the folder of what is going to be measured, so that hours do not end in a file that cannot be written.

    Raises:
        UserError: it cannot be written to; says the `remedy`.
    """
    if not os.access(folder, os.W_OK):
        raise UserError(f"{folder} cannot be written to; {remedy}")


def say_if_busy() -> None:
    """Warns on standard error where other programs disturb; to be asked before anything is run."""
    from ppcls.benchmark.machine import busy, running_threads
    from ppcls.utils.cpu import usable_cores

    sentence = busy(usable_cores(), running_threads())
    if sentence:
        print(f"warning: {sentence}", file=sys.stderr)


def _known(text: str, short: Any, known: Any) -> list[str]:
    found = [short.get(word, word) for word in words(text)]
    for word in found:
        if word not in known:
            raise argparse.ArgumentTypeError(
                f"{word!r} is unknown; write some of {','.join(known)}"
            )
    return list(dict.fromkeys(found))
