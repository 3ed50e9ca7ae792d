"""Engines in processes of their own.

They are needed in two cases. Paddle's `run` keeps Python's lock: within one process a second batch waits for the first,
and reading threads stand still meanwhile, so several requests are as many processes. And an engine that was loaded
before a fork cannot be used after it.

They get batches through a socket, import nothing of the user's program, and end with the process that started them.
A process that was killed, or whose answer was not read, is started again for the next batch.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import weakref
from contextlib import suppress
from dataclasses import fields, replace
from multiprocessing.connection import Connection

import numpy as np

from ppcls.inference.backends.engines import open_engine
from ppcls.inference.bundle import Bundle
from ppcls.inference.settings import Settings
from ppcls.utils import child
from ppcls.utils.cpu import threads_for_inference
from ppcls.utils.errors import UserError, translated

SECONDS_TO_END = 10  # then it is killed
SECONDS_TO_LOAD = 300  # a program on a CPU


class EngineProcess:
    """An engine in a process of its own, for one thread at a time."""

    _channel: Connection
    _process: subprocess.Popen[bytes]
    _ready: bool  # it has loaded the program, and its last answer was read

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
        threads = max(
            1, (settings.threads or threads_for_inference()) // settings.requests
        )
        alone = replace(settings, requests=1, threads=threads)
        first = cls(bundle, alone)
        if one_first:
            first._loaded()
        others = [cls(bundle, alone) for _ in range(settings.requests - 1)]
        started = [first, *others]
        for process in started:
            process._loaded()
        return started

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W], contiguous, to the scores, float32 [N, class_num]."""
        if not self._ready:
            self.restart()
        # Ctrl-C may interrupt at any byte; until this answer is read, the next one on the socket may belong to it
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
        # Without what a bundle has cached, such as its pipeline
        names = [field.name for field in fields(self._bundle)]
        self._send({name: getattr(self._bundle, name) for name in names})
        self._send(self._settings)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs; it may still load the program, or work on a batch."""
        return self._process.poll() is None

    def restart(self) -> None:
        """Kill the process if it runs, and start another one; return when it has loaded the program."""
        self.close()
        self._start()
        self._loaded()

    def kill(self) -> None:
        """Kill the process; a thread that waits for its answer gets an error."""
        self._process.kill()

    def close(self) -> None:
        """Kill the process, and close the socket."""
        self.kill()
        self._end()

    def _loaded(self) -> None:
        if self._ready:
            return
        # TensorRT builds an engine for many minutes. Paddle on a CPU waits for ever where memory ends while it starts
        # its threads.
        is_cpu = self._settings.device == "cpu"
        if is_cpu and not self._channel.poll(SECONDS_TO_LOAD):
            self._process.kill()
            raise UserError(
                f"an engine's process has not loaded {self._bundle.folder} in {SECONDS_TO_LOAD} s; lower "
                "Global.requests, or give the process more memory"
            )
        self._answer()
        self._ready = True

    def _send(self, message: object, content: memoryview | None = None) -> None:
        try:
            self._channel.send(message)
            if content is not None:
                self._channel.send_bytes(content)
        except (BrokenPipeError, ConnectionResetError):
            self._answer()  # raises the reason, if the process has sent one
            raise

    def _answer(self) -> tuple[int, ...]:
        with translated(
            (EOFError, ConnectionResetError),
            lambda error: UserError(_ending(self._process.wait())),
        ):
            answer, is_alive = self._channel.recv()
        if isinstance(answer, Exception):
            self._ready = is_alive
            raise answer
        return answer


def _ending(code: int) -> str:
    remedy = "what it printed says why"
    if code < 0:
        remedy = "where memory was short, lower Global.requests or Global.batch_size"
    return f"an engine's process has ended with code {code}; {remedy}"


def _end(channel: Connection, process: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() != owner:  # a forked process, which shares the socket
        channel.close()
        return
    with socket.socket(fileno=os.dup(channel.fileno())) as shared:
        # Ends the process although forked processes may hold copies of the socket
        shared.shutdown(socket.SHUT_RDWR)
    channel.close()
    try:
        process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _serve(channel: Connection) -> None:
    """Answer each batch with its scores or its exception, in the child. Any other exception ends the process."""
    try:
        engine = open_engine(Bundle(**channel.recv()), channel.recv())
        _ignore_signals()  # again, because Paddle installs its own handlers
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
        return  # the parent has closed the socket
    except Exception as error:
        with suppress(ConnectionError):  # the parent has closed the socket
            channel.send((error, False))


def _ignore_signals() -> None:
    """Leave Ctrl-C, and a stop sent to all processes of a service, to the parent."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    _ignore_signals()
    # What an engine prints must not mix with the output of the user's program
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _serve(Connection(int(sys.argv[1])))
