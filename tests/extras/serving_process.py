"""A server of `ppcls serve` in a process of its own, and requests to it."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from helpers.checkout import ROOT
from helpers.new_process import with_checkout

SECONDS = 120  # for what takes moments


class Serving:
    """A server that is ready when the constructor returns.

    Args:
        words: the arguments of `ppcls serve`; the ports are free ones.
        wait: for readiness; False returns once it listens.
    """

    def __init__(self, *words: object, wait: bool = True) -> None:
        command = [sys.executable, "-m", "ppcls", "serve", *map(str, words), "--http-port=0", "--grpc-port=0"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=with_checkout(), stderr=subprocess.PIPE, text=True)
        self.lines: list[dict[str, Any]] = []
        self._records = self._read()
        self.address = self.until("listening")["http"]
        self.host = self.address.partition("://")[2]
        self.grpc = f"127.0.0.1:{self.lines[-1]['grpc_port']}"
        if wait:
            self.until("ready")

    def _read(self) -> Iterator[dict[str, Any]]:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                record = json.loads(line)
            except ValueError:
                record = {"message": line}
            self.lines.append(record)
            yield record

    def until(self, message: str, **fields: Any) -> dict[str, Any]:
        """Reads the log up to a record."""
        for record in self._records:
            if record["message"].startswith(message) and fields.items() <= record.items():
                return record
        raise AssertionError(f"the server ended before {message!r}: {self.lines[-5:]}")

    def ask(
        self, path: str, body: bytes | dict[str, Any] | None = None, **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """The status, the JSON or text, and the headers of an answer; POST if there is a body."""
        connection = http.client.HTTPConnection(self.host, timeout=SECONDS)
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
        """Sends SIGTERM, reads the log to its end, and gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        for _ in self._records:
            pass
        return self.process.wait(SECONDS)

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
