"""Add an ONNX program to a bundle, for backends other than Paddle."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from ppcls.deployment.installing import ONNX, install, temporary_folder
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
from ppcls.utils.errors import UserError, expect
from ppcls.utils.logging import get_logger

ONNX_FILE = "inference.onnx"
OPSETS = range(7, 22)  # paddle2onnx 2.1.0 ends its process for others
# The lowest one with int8 per channel; every current engine reads it
OPSET = 13


def add_onnx(bundle: Bundle, opset: int = OPSET) -> Bundle:
    """Write `inference.onnx` beside a bundle's program and into its manifest, if it gives the golden scores.

    Args:
        bundle: A bundle with a program of Paddle 2 or 3.
        opset: The version of ONNX's operators, 7 to 21.

    Returns:
        The bundle with its new file. The difference of its golden scores is logged, or why they were not compared.

    Raises:
        GoldenMismatch: The scores are off; the bundle is unchanged.
        UserError: paddle2onnx is not installed, does not run on this Python, or cannot convert the program.
    """
    check(opset)
    bundle.checked(bundle.program, bundle.parameters)
    with temporary_folder(bundle, ONNX) as folder:
        convert(bundle, folder / ONNX_FILE, opset)
        entry = digested(folder / ONNX_FILE)
        tried = DigestedFile(f"{folder.name}/{ONNX_FILE}", entry.sha256)
        difference = _golden_difference(replace(bundle, onnx=tried))
        if difference is not None and not difference <= SCORE_TOLERANCE:
            raise GoldenMismatch(
                f"{bundle.architecture} as ONNX: the golden input's scores are off by {difference:.3g} (relative, at "
                f"most {SCORE_TOLERANCE:g}), so the file was not kept; try another --opset"
            )
        # Another process may have changed the bundle in the meantime.
        current = Bundle.load(bundle.folder)
        older = [] if current.onnx is None else [current.onnx]
        changed = install(
            current, folder, [entry], older, {"onnx": None}, {"onnx": entry}
        )
    _log(changed, opset, difference)
    return changed


def check(opset: int) -> None:
    """Check that a conversion can begin.

    Raises:
        UserError: paddle2onnx does not write this opset, is not installed, or does not run on this Python.
    """
    if opset not in OPSETS:
        raise UserError(
            f"--opset is {opset}; paddle2onnx writes {OPSETS[0]} to {OPSETS[-1]}"
        )
    if importlib.util.find_spec("paddle2onnx") is not None:
        return
    expect(
        sys.version_info < (3, 13),
        "paddle2onnx needs a version of onnx that has no build for Python 3.13 and later; run this on Python 3.10 "
        "to 3.12, where `pip install 'ppcls[onnx]'` installs both",
    )
    raise UserError("paddle2onnx is not installed; run `pip install 'ppcls[onnx]'`")


def convert(bundle: Bundle, target: Path, opset: int) -> None:
    """Convert a bundle's program in a child process; see `ppcls.deployment.onnx.child`.

    Raises:
        UserError: paddle2onnx fails; the message has its reason.
    """
    command = child.command(
        "ppcls.deployment.onnx.child",
        bundle.path_of(bundle.program),
        bundle.path_of(bundle.parameters),
        target,
        opset,
        bundle.input.name,
        bundle.output.name,
    )
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=child.environment(),
    )
    if done.returncode or not target.is_file():
        reason = _reason(done.stdout + done.stderr)
        raise UserError(
            f"paddle2onnx could not convert {bundle.architecture} to opset {opset}: {reason}"
        )


def _reason(output: str) -> str:
    """The line with paddle2onnx's reason, otherwise the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for line in reversed(lines):
        if "Failed to convert" in line:
            return line
    return lines[-1] if lines else "it printed nothing"


def _golden_difference(bundle: Bundle) -> float | None:
    if bundle.golden is None or importlib.util.find_spec("onnxruntime") is None:
        return None
    golden = Golden.of(bundle)
    backend = open_backend(bundle, Settings("onnxruntime"))
    return score_difference(backend.run(golden.input), golden.scores)


def _log(bundle: Bundle, opset: int, difference: float | None) -> None:
    if difference is not None:
        get_logger().info(
            "%s: opset %d; through ONNX Runtime its scores differ by %.1e of their spread",
            ONNX_FILE, opset, difference,
        )  # fmt: skip
        return
    reason = "the bundle has no golden picture"
    if bundle.golden is not None:
        reason = "ONNX Runtime is not installed (`pip install 'ppcls[onnxruntime]'`)"
    get_logger().warning(
        "%s: opset %d; its scores were not compared: %s", ONNX_FILE, opset, reason
    )
