"""Commands in forks of the tests' process, which has loaded all that a new Python would load for seconds."""

from __future__ import annotations

import atexit
import logging
import os
import runpy
import select
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

from helpers.forking import end_with_stack, write_stack_to

PATIENCE = 300  # seconds that nothing takes unless it hangs, on a crowded machine neither


class Fork:
    """A fork of this process that does some work, with those methods of `subprocess.Popen` that tests use.

    Args:
        work: ends with the exit code that `sys.exit` is given, or 0.
        stdout: the open file that gets what it prints.
        stderr: the same for errors; None if they go to `stdout`.
        prepare: called first, within the fork.
    """

    def __init__(
        self,
        work: Callable[[], Any],
        stdout: IO[str],
        stderr: IO[str] | None = None,
        prepare: Callable[[], Any] | None = None,
    ) -> None:
        self.returncode: int | None = None
        prepared, tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(prepared)
            _become(work, stdout, stderr or stdout, prepare, tell)
        os.close(tell)
        os.read(
            prepared, 1
        )  # so that it has a process group of its own, where it is to have one, before it is signalled
        os.close(prepared)

    def poll(self) -> int | None:
        """Returns the exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end. Without a time of one's own, a fork that hangs writes its stack and fails the test."""
        if self.poll() is None:
            handle = os.pidfd_open(self.pid)
            try:
                ended = select.select([handle], [], [], PATIENCE if timeout is None else timeout)[0]
            finally:
                os.close(handle)
            if not ended and timeout is not None:
                raise subprocess.TimeoutExpired("a fork", timeout)
            if not ended:
                self.returncode = end_with_stack(self.pid)
                raise AssertionError("the forked process hangs; its stack is where its errors go")
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        """Sends a signal unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.send_signal(signal.SIGKILL)


def _become(
    work: Callable[[], Any], stdout: IO[str], stderr: IO[str], prepare: Callable[[], Any] | None, tell: int
) -> None:
    """Does the work and ends this process, as Python does at the end of a script."""
    code = 1
    atexit._clear()
    try:
        if prepare is not None:
            prepare()
        os.close(tell)
        os.dup2(stdout.fileno(), 1)
        os.dup2(stderr.fileno(), 2)
        write_stack_to(2)
        sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
        work()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def wait_for(path: Path, text: str, process: Fork) -> None:
    """Returns when a file says a text, which a process that lives on is to write."""
    end = time.monotonic() + PATIENCE
    while not (path.is_file() and text in path.read_text()):
        assert process.poll() is None, f"{path} never said {text!r}"
        assert time.monotonic() < end, f"{path} does not say {text!r}"
        time.sleep(0.01)


def run_python(words: Sequence[str], environment: Mapping[str, str]) -> None:
    """Does what `python words` does in a process of its own: a script, from the current folder."""
    os.environ.clear()
    os.environ.update(environment)
    script, *arguments = [word for word in words if word != "-u"]
    sys.argv[:] = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


class _Python(Fork):
    """What the launcher gets for `subprocess.Popen`."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        stdout: IO[str],
        stderr: IO[str],
        preexec_fn: Callable[[], Any],
        shell: bool,
    ) -> None:
        assert command[0] == sys.executable and not shell
        super().__init__(lambda: run_python(command[1:], env), stdout, stderr, preexec_fn)
        Path(env["PADDLE_LOG_DIR"], f"process.{env['PADDLE_TRAINER_ID']}").write_text(str(self.pid))


def run_launcher(words: Sequence[str]) -> None:
    """Does what `python -m paddle.distributed.launch words` does, except that its processes are forks of this one."""
    from paddle.distributed.launch.main import launch
    from paddle.distributed.launch.utils import process_context

    process_context.subprocess = SimpleNamespace(Popen=_Python)  # in this fork alone
    sys.argv[:] = ["launch", *words]
    launch()
