"""Commands in forks of the tests' process that are short of memory, descriptors or disk space."""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import ppcls.utils.shortage  # noqa: F401  (a process loads it before a limit is reached)
from helpers.forks import PATIENCE, Fork
from ppcls.__main__ import main


class Command:
    """`ppcls words` in a fork.

    Args:
        words: The command's.
        limits: Called first in the fork.
        stdout: Where standard output goes; by default `finish` returns it, as it does errors.
    """

    def __init__(self, words: Sequence[str], *limits: Callable[[], Any], stdout: IO[str] | None = None) -> None:
        def prepare() -> None:
            for limit in limits:
                limit()

        self.words = list(words)
        self._printed, writing = os.pipe()
        with os.fdopen(writing, "w") as output:
            self._process = Fork(lambda: sys.exit(main(self.words)), stdout or output, output, prepare)

    def finish(self) -> tuple[int, str]:
        """Return the exit code, and what was printed. A hang fails the test."""
        text = b""
        with os.fdopen(self._printed, "rb", buffering=0) as printed:
            while True:
                if not select.select([printed], [], [], PATIENCE)[0]:
                    self._process.send_signal(signal.SIGABRT)  # so that it writes its stack
                    text += printed.read(1 << 16)
                    self._process.kill()
                    raise AssertionError(f"{self.words} hangs; it printed {text.decode(errors='replace')}")
                part = printed.read(1 << 16)
                if not part:
                    break
                text += part
        return self._process.wait(), text.decode(errors="replace")


def run_starved(words: Sequence[str], *limits: Callable[[], Any], stdout: IO[str] | None = None) -> tuple[int, str]:
    """Run a command to its end; see `Command`."""
    return Command(words, *limits, stdout=stdout).finish()


def assert_one_sentence(code: int, text: str) -> None:
    """Assert that a command ended well, or with a message in place of a traceback."""
    assert code in (0, 1, 2), (code, text[-2000:])
    assert "Traceback" not in text, text[-3000:]
    if code == 2:
        assert text.splitlines()[-1].count("; ") >= 1, text[-500:]


def memory(megabytes: float) -> Callable[[], None]:
    """Limits the address space to so much beyond what the tests' process has."""

    def limit() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + int(megabytes * 1e6)
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))

    return limit


def descriptors(more: int) -> Callable[[], None]:
    """Lets the process open so many more files."""

    def limit() -> None:
        highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
        while os.open(os.devnull, os.O_RDONLY) < highest:
            pass
        most = os.open(os.devnull, os.O_RDONLY) + 1 + more
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    return limit


def file_size(most: int) -> Callable[[], None]:
    """Limits each file to so many bytes, which is what a full disk is to a program."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
