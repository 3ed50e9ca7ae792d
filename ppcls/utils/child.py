"""Processes that run a module of this package."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import ppcls
from ppcls.utils import user_code

T = TypeVar("T")

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
    return [interpreter(), "-W", "ignore", "-c", _RUN, module, *map(str, arguments)]


def interpreter() -> str:
    """Python's program. Where another program embeds Python (uWSGI, mod_wsgi), `sys.executable` is that program."""
    if Path(sys.executable or "").name.lower().startswith("py"):
        return sys.executable
    candidates = [
        Path(sys.prefix) / name for name in ("bin/python3", "bin/python", "python.exe")
    ]
    return next((str(path) for path in candidates if path.is_file()), sys.executable)


def environment() -> dict[str, str]:
    """This process's variables, with which a `command` finds this package, from wherever it is started."""
    root = str(Path(ppcls.__file__).resolve().parents[1])
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(
            [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        ),
    }


def call(
    function: Callable[..., T],
    *arguments: object,
    quiet: bool = False,
    seconds: float | None = None,
) -> T:
    """Calls a function of this package in a new process.

    Args:
        function: a module's own, which is found by its name there.
        *arguments: what can be pickled.
        quiet: whether what the process prints, such as Paddle's report of a crash, is thrown away.
        seconds: after which the process is killed; None waits for ever.

    Returns:
        What the function returns; or raises what it raises.

    Raises:
        ChildProcessError: the process ended without an answer.
        subprocess.TimeoutExpired: it took too long.
    """
    done = subprocess.run(
        command(__name__),
        input=pickle.dumps((function, arguments)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
        env=environment(),
        timeout=seconds,
    )
    if done.returncode != 0:
        raise ChildProcessError(
            f"a process that ran {function.__name__} has ended with code {done.returncode}"
        )
    returned, error = pickle.loads(done.stdout)
    if error is not None:
        raise error
    return returned


def _answer() -> None:
    """Does what `call` asks for on standard input; what the function prints goes to standard error."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answer:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        user_code.load()  # may define what is unpickled
        function, arguments = pickle.load(sys.stdin.buffer)
        returned: Any = None
        error = None
        try:
            returned = function(*arguments)
        except Exception as raised:
            error = raised
        pickle.dump((returned, error), answer)


if __name__ == "__main__":
    _answer()
