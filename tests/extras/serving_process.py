"""A server of `ppcls serve` in a process of its own, and requests to it."""

from __future__ import annotations

import http.client
import json
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.new_process import with_checkout

SECONDS = 120  # for what takes moments


class Serving:
    """A server that is ready when the constructor returns.

    Args:
        words: the arguments of `ppcls serve`; the ports are free ones.
        wait: for readiness; False returns once it listens.
        program: what is run, in place of this checkout's command.
        environment: its variables, in place of this process's.
    """

    def __init__(
        self,
        *words: object,
        wait: bool = True,
        program: Sequence[object] = (sys.executable, "-m", "ppcls", "serve"),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        command = [*map(str, program), *map(str, words), "--http-port=0", "--grpc-port=0"]
        variables = with_checkout() if environment is None else environment
        self.process = subprocess.Popen(
            command, cwd=tempfile.gettempdir(), env=variables, stderr=subprocess.PIPE, text=True
        )
        self.context: ssl.SSLContext | None = None  # for a server with TLS
        self.lines: list[dict[str, Any]] = []
        self._arrived = threading.Condition()
        self._is_over = False
        self._seen = 0
        # All the time, or the server would wait for a place in the pipe
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            listening = self.until("listening")
            self.address = listening["http"]
            self.host = self.address.partition("://")[2]
            self.grpc = f"127.0.0.1:{listening['grpc_port']}"
            if wait:
                self.until("ready")
        except BaseException:
            self.__exit__()
            raise

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                record = json.loads(line)
            except ValueError:
                record = {"message": line}
            with self._arrived:
                self.lines.append(record)
                self._arrived.notify_all()
        with self._arrived:
            self._is_over = True
            self._arrived.notify_all()

    def until(self, message: str, **fields: Any) -> dict[str, Any]:
        """Waits for a record of the log behind the last one that was waited for."""
        with self._arrived:
            while True:
                while self._seen < len(self.lines):
                    record = self.lines[self._seen]
                    self._seen += 1
                    if record["message"].startswith(message) and fields.items() <= record.items():
                        return record
                assert not self._is_over, f"the server ended before {message!r}: {self.lines[-5:]}"
                assert self._arrived.wait(SECONDS), f"no {message!r} came: {self.lines[-5:]}"

    def ask(
        self, path: str, body: bytes | dict[str, Any] | None = None, **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """The status, the JSON or text, and the headers of an answer; POST if there is a body."""
        connection = http.client.HTTPConnection(self.host, timeout=SECONDS)
        if self.context is not None:
            connection = http.client.HTTPSConnection(self.host, timeout=SECONDS, context=self.context)
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET" if body is None else "POST", path, body, named)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        is_json = found.get("content-type", "").startswith("application/json")
        return response.status, json.loads(text) if is_json else text, found

    def metric(self, name: str, **labels: str) -> float:
        """The value of a metric; 0 where it is not there yet."""
        for line in self.ask("/metrics")[1].splitlines():
            key, _, value = line.rpartition(" ")
            if key.split("{")[0] == name and all(f'{label}="{text}"' in key for label, text in labels.items()):
                return float(value)
        return 0.0

    def children(self) -> list[int]:
        """The processes that it has started."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid:
                found.append(int(path.parent.name))
        return found

    def stop(self) -> int:
        """Sends SIGTERM, waits for its end, and gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
