"""Runs a script in this process: starting another one costs seconds, and is the point of few tests."""

import contextlib
import io
import logging
import runpy
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Ran:
    """The exit code of a script, and what it printed."""

    code: int
    out: str
    err: str


@contextlib.contextmanager
def log_as_it_was() -> Iterator[None]:
    """Puts back the library's log, which a command directs to handlers of its own."""
    logger = logging.getLogger("ppcls")
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    try:
        yield
    finally:
        for handler in logger.handlers:
            if handler not in handlers:
                handler.close()
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate


def run_script(script: Path, *arguments: str, folder: Path) -> Ran:
    """Runs `python script arguments` in a folder."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with pytest.MonkeyPatch.context() as patch, log_as_it_was():
        patch.chdir(folder)
        patch.setattr(sys, "argv", [str(script), *arguments])
        patch.setattr(sys, "path", list(sys.path))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                runpy.run_path(str(script), run_name="__main__")
            except SystemExit as end:
                code = end.code or 0
    return Ran(code, out.getvalue(), err.getvalue())
