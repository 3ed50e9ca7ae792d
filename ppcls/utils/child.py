"""Processes that run a module of this package."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import ppcls

# `python -m` would look for modules in the current folder first, where another `ppcls` may lie; `-c` does so too, until
# its entry is gone. (PYTHONSAFEPATH, which leaves it out, is of Python 3.11.)
_RUN = """
import sys
sys.path[:] = filter(None, sys.path)
import runpy
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def command(module: str, *arguments: object) -> list[str]:
    """The command that runs a module as `python -m` does, whatever lies in the current folder, and without warnings.

    It belongs with `environment()`.
    """
    return [sys.executable, "-W", "ignore", "-c", _RUN, module, *map(str, arguments)]


def environment() -> dict[str, str]:
    """This process's variables, with which a `command` finds this package, from wherever it is started."""
    root = str(Path(ppcls.__file__).resolve().parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])}
