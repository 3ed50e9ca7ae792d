"""A bundle's program as ONNX, for other engines than Paddle."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from ppcls.deployment.installing import ONNX, aside, install
from ppcls.inference.backends import open_backend
from ppcls.inference.bundle import Bundle, digested
from ppcls.inference.entries import DigestedFile
from ppcls.inference.golden import (
    SCORE_TOLERANCE,
    Golden,
    GoldenMismatch,
    score_difference,
)
from ppcls.inference.settings import Settings
from ppcls.utils import child
from ppcls.utils.errors import UserError
from ppcls.utils.logging import get_logger

ONNX_FILE = "inference.onnx"
OPSETS = range(7, 22)  # of paddle2onnx 2.1.0; others end its process
# The first that per-channel int8 needs, and one that every engine of today reads
OPSET = 13


def add_onnx(bundle: Bundle, opset: int = OPSET) -> Bundle:
    """Writes `inference.onnx` beside a bundle's program and into its manifest, once it gives the golden scores.

    Args:
        bundle: with a program of Paddle 2 or 3.
        opset: the version of ONNX's operators, 7 to 21.

    Returns:
        The bundle with its new file. How far its golden scores are is logged, or why they could not be compared.

    Raises:
        GoldenMismatch: the scores are off; the bundle is as it was.
        UserError: paddle2onnx is not installed, does not run on this Python, or cannot convert the program.
    """
    check(opset)
    bundle.checked(bundle.program, bundle.parameters)
    with aside(bundle, ONNX) as folder:
        convert(bundle, folder / ONNX_FILE, opset)
        entry = digested(folder / ONNX_FILE)
        tried = DigestedFile(f"{folder.name}/{ONNX_FILE}", entry.sha256)
        difference = _golden_difference(replace(bundle, onnx=tried))
        if difference is not None and not difference <= SCORE_TOLERANCE:
            raise GoldenMismatch(
                f"{bundle.architecture} as ONNX: the golden input's scores are off by {difference:.3g} (relative, at "
                f"most {SCORE_TOLERANCE:g}), so the file was not kept; try another --opset"
            )
        # Another process may have added to it meanwhile
        current = Bundle.load(bundle.folder)
        older = [] if current.onnx is None else [current.onnx]
        changed = install(
            current, folder, [entry], older, {"onnx": None}, {"onnx": entry}
        )
    if difference is None:
        why = "ONNX Runtime is not installed (`pip install 'ppcls[onnxruntime]'`)"
        why = why if bundle.golden else "the bundle has no golden picture"
        get_logger().warning(
            "%s: opset %d; its scores were not compared, for %s", ONNX_FILE, opset, why
        )
    else:
        get_logger().info(
            "%s: opset %d; through ONNX Runtime its scores differ by %.1e of their spread",
            ONNX_FILE, opset, difference,
        )  # fmt: skip
    return changed


def check(opset: int) -> None:
    """Whether a conversion can begin.

    Raises:
        UserError: paddle2onnx does not write this opset, is not installed, or does not run on this Python.
    """
    if opset not in OPSETS:
        raise UserError(
            f"--opset is {opset}; paddle2onnx writes {OPSETS[0]} to {OPSETS[-1]}"
        )
    if importlib.util.find_spec("paddle2onnx") is not None:
        return
    if sys.version_info >= (3, 13):
        raise UserError(
            "paddle2onnx needs a version of onnx that has no build for Python 3.13 and later; run this on Python 3.10 "
            "to 3.12, where `pip install 'ppcls[onnx]'` installs both"
        )
    raise UserError("paddle2onnx is not installed; run `pip install 'ppcls[onnx]'`")


def convert(bundle: Bundle, target: Path, opset: int) -> None:
    """Converts a bundle's program in a process of its own; see `ppcls.deployment.onnx.child`.

    Raises:
        UserError: paddle2onnx fails; what it said is told.
    """
    files, names = (
        map(bundle.path_of, (bundle.program, bundle.parameters)),
        (bundle.input.name, bundle.output.name),
    )
    command = child.command(
        "ppcls.deployment.onnx.child", *files, target, opset, *names
    )
    environment = child.environment()
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=environment,
    )
    if done.returncode or not target.is_file():
        reason = _reason(done.stdout + done.stderr)
        raise UserError(
            f"paddle2onnx could not convert {bundle.architecture} to opset {opset}: {reason}"
        )


def _reason(output: str) -> str:
    """The line in which paddle2onnx says why, or else the last one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line for line in lines if "Failed to convert" in line]
    return (told or lines or ["it said nothing"])[-1]


def _golden_difference(bundle: Bundle) -> float | None:
    if bundle.golden is None or importlib.util.find_spec("onnxruntime") is None:
        return None
    golden = Golden.of(bundle)
    return score_difference(
        open_backend(bundle, Settings("onnxruntime")).run(golden.input), golden.scores
    )
