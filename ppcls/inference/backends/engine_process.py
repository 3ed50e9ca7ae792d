"""Engines in processes of their own.

They are needed in two cases. Paddle's `run` keeps Python's lock: within one process a second batch waits for the first,
and reading threads stand still meanwhile, so several requests are as many processes. And an engine that was loaded
before a fork cannot be used after it.

The processes are fed through a socket, import nothing of the user's program, and end with the process that made them.
One that was killed, or whose answer was not waited for, is started again for the next batch.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import weakref
from dataclasses import fields, replace
from multiprocessing.connection import Connection

import numpy as np

from ppcls.inference.backends.engines import open_engine
from ppcls.inference.bundle import Bundle
from ppcls.inference.settings import Settings
from ppcls.utils import child
from ppcls.utils.cpu import usable_cores
from ppcls.utils.errors import UserError

SECONDS_TO_END = 10  # then it is killed


class EngineProcess:
    """One of them, for one thread at a time."""

    _channel: Connection
    _process: subprocess.Popen[bytes]
    _ready: bool  # for a batch: it has loaded, and its last answer was read

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        self._bundle, self._settings = bundle, settings
        self._start()

    @classmethod
    def start_all(
        cls, bundle: Bundle, settings: Settings, one_first: bool = False
    ) -> list[EngineProcess]:
        """Starts `settings.requests` of them, which share the threads.

        Args:
            bundle: what they run.
            settings: how.
            one_first: whether the others begin when the first has loaded, because they find what it has built.

        Raises:
            UserError: as of `open_backend`.
        """
        threads = max(1, (settings.threads or usable_cores()) // settings.requests)
        alone = replace(settings, requests=1, threads=threads)
        first = cls(bundle, alone)
        if one_first:
            first._loaded()
        started = [first, *(cls(bundle, alone) for _ in range(settings.requests - 1))]
        for process in started:
            process._loaded()
        return started

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W], contiguous, to the scores, float32 [N, class_num]."""
        if not self._ready:
            self._restart()
        # Ctrl-C may come at any byte: until the answer is read, the next one may be another's
        self._ready = False
        self._send(batch.shape, batch.data.cast("B"))
        scores = np.empty(self._answer(), np.float32)
        self._channel.recv_bytes_into(scores.data.cast("B"))
        self._ready = True
        return scores

    def _start(self) -> None:
        self._ready = False
        mine, theirs = socket.socketpair()
        with theirs:
            command = child.command(__name__, theirs.fileno())
            environment = {
                **child.environment(),
                "OMP_NUM_THREADS": str(self._settings.threads),
            }
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env=environment
            )
        self._channel = Connection(mine.detach())
        self._end = weakref.finalize(
            self, _end, self._channel, self._process, os.getpid()
        )
        self._send(
            {
                field.name: getattr(self._bundle, field.name)
                for field in fields(self._bundle)
            }
        )
        self._send(self._settings)

    def _restart(self) -> None:
        self._process.kill()
        self._end()
        self._start()
        self._loaded()

    def _loaded(self) -> None:
        if not self._ready:
            self._answer()
            self._ready = True

    def _send(self, told: object, content: memoryview | None = None) -> None:
        try:
            self._channel.send(told)
            if content is not None:
                self._channel.send_bytes(content)
        except (BrokenPipeError, ConnectionResetError):
            self._answer()  # says why it ended, or that it did
            raise

    def _answer(self) -> tuple[int, ...]:
        try:
            answer, goes_on = self._channel.recv()
        except (EOFError, ConnectionResetError) as error:
            raise UserError(_ending(self._process.wait())) from error
        if isinstance(answer, Exception):
            self._ready = goes_on
            raise answer
        return answer


def _ending(code: int) -> str:
    killed = "where memory was short, lower Global.requests or Global.batch_size"
    return f"an engine's process has ended with code {code}; {killed if code < 0 else 'what it printed says why'}"


def _end(channel: Connection, process: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() != owner:  # a forked process, which shares the socket
        channel.close()
        return
    with socket.socket(fileno=os.dup(channel.fileno())) as shared:
        # Ends it, though forked processes may hold copies of the socket
        shared.shutdown(socket.SHUT_RDWR)
    channel.close()
    try:
        process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _serve(channel: Connection) -> None:
    """The child's part: answers each batch with its scores or its exception; one that comes between ends it."""
    try:
        engine = open_engine(Bundle(**channel.recv()), channel.recv())
        _ignore_signals()  # once more, for Paddle sets handlers of its own
        channel.send(((), True))
        while True:
            batch = np.empty(channel.recv(), np.float32)
            channel.recv_bytes_into(batch.data.cast("B"))
            try:
                scores = engine.run(batch)
            except Exception as error:
                channel.send((error, True))
                continue
            channel.send((scores.shape, True))
            channel.send_bytes(np.ascontiguousarray(scores).data.cast("B"))
    except (EOFError, ConnectionError):
        return  # nobody wants more
    except Exception as error:
        channel.send((error, False))


def _ignore_signals() -> None:
    """Leaves Ctrl-C, and a stop that goes to all processes of a service, to the process that made this one."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    _ignore_signals()
    # An engine's remarks are no output of the user's program
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _serve(Connection(int(sys.argv[1])))
