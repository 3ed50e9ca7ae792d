"""Imports Paddle for a program, without its advice about OMP_NUM_THREADS; if it is missing, that is one sentence."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType

from ppcls.utils import cpu, environment, shortage
from ppcls.utils.errors import Unavailable

# Advice for OpenBLAS builds, printed whenever OMP_NUM_THREADS is above 1, which `cpu.prepare` sets for good reason.
_CHATTER = ("WARNING: OMP_NUM_THREADS set to", "PLEASE USE OMP_NUM_THREADS WISELY")


def load_paddle() -> ModuleType:
    """Prepare the CPU and import Paddle.

    Raises:
        Unavailable: Paddle, or something that it needs, is missing or does not load; the sentence names the remedy.
    """
    cpu.prepare()
    # Every network with batch norm that trains warns of this once, and nobody needs to do anything about it.
    warnings.filterwarnings(
        "ignore", message="When training, we now always track global mean and variance"
    )
    if "paddle" in sys.modules:
        return sys.modules["paddle"]
    with without_chatter() as held:
        try:
            return importlib.import_module("paddle")
        except Exception as error:
            # Python raises this where Ctrl-C interrupts the initialisation of a library
            if isinstance(error.__cause__, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            fault = shortage.shortage(error) or environment.fault(error)
            if fault is None:
                raise
            # The sentence replaces what Paddle wrote about it
            held.truncate(held.seek(0))
            raise Unavailable(fault) from error


@contextlib.contextmanager
def without_chatter() -> Iterator[io.StringIO]:
    """Hold back what is written to standard error, then write it without Paddle's advice about our own settings.

    Yields:
        What is held back.
    """
    held = io.StringIO()
    try:
        with contextlib.redirect_stderr(held):
            yield held
    finally:
        for line in held.getvalue().splitlines(True):
            if not line.startswith(_CHATTER):
                sys.stderr.write(line)


def missing_gpu() -> str | None:
    """Return why Paddle cannot compute on a GPU here, as part of a sentence; None if it can."""
    paddle = load_paddle()
    if not paddle.is_compiled_with_cuda():
        return "this build of Paddle has no CUDA"
    if paddle.device.cuda.device_count() > 0:
        return None
    return "this machine shows no GPU"
