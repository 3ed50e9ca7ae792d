"""Processes that run a module of this package."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import ppcls
from ppcls.utils import user_code

T = TypeVar("T")

# `python -m` looks for modules in the current folder first, which may have another `ppcls`. So does `-c`, until the
# folder is removed from `sys.path`. (PYTHONSAFEPATH does the same from Python 3.11 on.)
_RUN = """
import sys
sys.path[:] = filter(None, sys.path)
import runpy
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def command(module: str, *arguments: object) -> list[str]:
    """Return the command that runs a module as `python -m` does, without warnings and without the current folder.

    Run it with `environment()`.
    """
    return [interpreter(), "-W", "ignore", "-c", _RUN, module, *map(str, arguments)]


def interpreter() -> str:
    """Return the path of Python; if a program embeds Python (uWSGI, mod_wsgi), `sys.executable` is that program."""
    if Path(sys.executable or "").name.lower().startswith("py"):
        return sys.executable
    for name in ("bin/python3", "bin/python", "python.exe"):
        path = Path(sys.prefix) / name
        if path.is_file():
            return str(path)
    return sys.executable


def environment() -> dict[str, str]:
    """Return this process's variables, with which a `command` finds this package from any folder."""
    paths = [str(Path(ppcls.__file__).resolve().parents[1])]
    if os.environ.get("PYTHONPATH"):
        paths.append(os.environ["PYTHONPATH"])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def call(
    function: Callable[..., T],
    *arguments: object,
    quiet: bool = False,
    seconds: float | None = None,
) -> T:
    """Call a function of this package in a new process.

    Args:
        function: A function that its module has by its name.
        *arguments: Anything that can be pickled.
        quiet: Whether to discard what the process prints, such as Paddle's report of a crash.
        seconds: The time after which the process is killed; None waits for ever.

    Returns:
        What the function returns; what it raises is raised here.

    Raises:
        ChildProcessError: The process ended without an answer.
        subprocess.TimeoutExpired: It took too long.
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


class CallProcess:
    """A process that calls functions of this package one after the other, for one thread at a time; not on Windows.

    It ends with this process, to which it leaves Ctrl-C.
    """

    def __init__(self) -> None:
        mine, theirs = socket.socketpair()
        self._channel = Connection(mine.detach())
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                command(__name__, number), pass_fds=[number], env=environment()
            )

    def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Return what a function of this package returns there; what it raises is raised here.

        Raises:
            ChildProcessError: The process ended without an answer.
        """
        try:
            self._channel.send((function, arguments))
            returned, error = self._channel.recv()
        except (EOFError, OSError) as ended:
            raise ChildProcessError(
                f"a process that ran {function.__name__} has ended with code {self._process.wait()}"
            ) from ended
        if error is not None:
            raise error
        return returned

    def close(self) -> None:
        """Kill the process; a thread that waits for its answer gets an error."""
        self._process.kill()
        self._process.wait()
        self._channel.close()


def _serve(channel: Connection) -> None:
    """Run the functions that a `CallProcess` sends, until it closes the channel."""
    # What they print is none of the command's output
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    while True:
        try:
            function, arguments = channel.recv()
        except (EOFError, ConnectionError):
            return
        outcome = _outcome(function, arguments)
        sys.stdout.flush()  # the process is killed in the end, with what it still holds
        try:
            channel.send(outcome)
        except ConnectionError:
            return


def _answer() -> None:
    """Run the function that `call` sends on standard input; what it prints goes to standard error."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answer:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        user_code.load()  # may define what is unpickled
        function, arguments = pickle.load(sys.stdin.buffer)
        pickle.dump(_outcome(function, arguments), answer)


def _outcome(
    function: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[Any, Exception | None]:
    """What a function returns, or the exception that it raises: for the process that asked."""
    try:
        return function(*arguments), None
    except Exception as error:
        return None, error


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _serve(Connection(int(sys.argv[1])))
    else:
        _answer()
