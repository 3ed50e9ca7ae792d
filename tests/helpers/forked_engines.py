"""Engines in forks of the tests' process, where that they are processes of their own is not the point."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers.forks import Fork
from ppcls.inference.backends import engine_process


class _Engine(Fork):
    """What an `EngineProcess` gets for `subprocess.Popen`."""

    def __init__(self, command: Sequence[str], pass_fds: Sequence[int], env: Mapping[str, str]) -> None:
        (socket,) = pass_fds
        with os.fdopen(os.dup(2), "w") as errors:
            super().__init__(lambda: _serve(socket), errors)


def _serve(socket: int) -> None:
    # As in a new process: the sockets of other engines end only when nobody holds them.
    for path in list(Path("/proc/self/fd").iterdir()):
        if int(path.name) > 2 and int(path.name) != socket:
            with contextlib.suppress(OSError):  # of the listing itself
                os.close(int(path.name))
    engine_process._ignore_signals()
    engine_process._serve(Connection(socket))


def fork_engines(patch: pytest.MonkeyPatch) -> None:
    """Has the processes of engines forked, which have loaded Paddle already."""
    forked = SimpleNamespace(Popen=_Engine, TimeoutExpired=subprocess.TimeoutExpired)
    patch.setattr(engine_process, "subprocess", forked)


@pytest.fixture
def forked_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """See `fork_engines`."""
    fork_engines(monkeypatch)
