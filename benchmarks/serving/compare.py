"""`ppcls serve` beside the in-process loop and beside MLServer, LitServe and Ray Serve holding the same `Classifier`.

    make -f benchmarks/serving/Makefile
    .venv-serving/bin/python benchmarks/serving/compare.py --bundle BUNDLE --pictures FOLDER

Each server is started in its own environment, gets pictures from a number of clients that each wait for their answer,
and ends. Its processor time is that of all of its processes over the requests, its memory their proportional set size
at the end. The ways take turns for a number of rounds; of each figure the median is printed, and all in brackets.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent
SECONDS_TO_START = 600
WARM_UP = 50
MARK = "PPCLS_BENCHMARK"


@dataclass
class Figures:
    """What one way costs.

    Attributes:
        processor: Milliseconds of processor time per picture.
        rate: Pictures per second.
        p50: Milliseconds; half of the answers come earlier.
        p99: Milliseconds; 99 % of the answers come earlier.
        memory: MiB.
    """

    processor: float
    rate: float
    p50: float
    p99: float
    memory: float


@dataclass
class Way:
    """A server.

    Attributes:
        name: For the table.
        command: What starts it, given a port and a folder to work in.
        path: Where it takes pictures.
        body: A picture's bytes as it takes them.
    """

    name: str
    command: Callable[[int, Path], list[str]]
    path: str
    body: Callable[[bytes], bytes] = bytes


def python(environment: str) -> str:
    """The Python of an environment of the checkout."""
    return str(ROOT / environment / "bin" / "python")


def ppcls(*words: str) -> Callable[[int, Path], list[str]]:
    """The command of `ppcls serve`, with further arguments."""

    def command(port: int, folder: Path) -> list[str]:
        serve = [python(".venv-serving"), "-m", "ppcls", "serve"]
        bundle = f"model={os.environ['BUNDLE']}"
        options = ["--backend=onnxruntime", f"--http-port={port}", "--grpc-port=0"]
        return [*serve, bundle, *options, *words]

    return command


def mlserver(port: int, folder: Path) -> list[str]:
    """The command of MLServer, whose settings are files."""
    settings = {"host": "127.0.0.1", "http_port": port, "parallel_workers": 0}
    settings |= {"grpc_port": free_port(), "metrics_port": free_port()}
    (folder / "settings.json").write_text(json.dumps(settings))
    model = {"name": "model", "implementation": "mlserver_model.Served"}
    (folder / "model-settings.json").write_text(json.dumps(model))
    program = ROOT / ".venv-bench-mlserver" / "bin" / "mlserver"
    return [str(program), "start", str(folder)]


def script(environment: str, name: str) -> Callable[[int, Path], list[str]]:
    """The command of a server that is a script here."""
    return lambda port, folder: [python(environment), str(FOLDER / name), str(port)]


def as_json(picture: bytes) -> bytes:
    """A picture as LitServe takes it."""
    return json.dumps({"picture": base64.b64encode(picture).decode()}).encode()


WAYS = (
    Way("ppcls serve", ppcls(), "/v2/models/model/classify"),
    Way("MLServer", mlserver, "/classify"),
    Way(
        "LitServe",
        script(".venv-bench-litserve", "litserve_server.py"),
        "/classify",
        as_json,
    ),
    Way("Ray Serve", script(".venv-bench-ray", "ray_server.py"), "/classify"),
)
AT_ONCE = Way("ppcls serve --batch-delay 0", ppcls("--batch-delay=0"), WAYS[0].path)


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Server:
    """A server that runs, and all of its processes, which carry a mark in their environment."""

    def __init__(self, way: Way, picture: bytes) -> None:
        self._way = way
        self._mark = f"{MARK}={uuid.uuid4().hex}".encode()
        self._folder = tempfile.TemporaryDirectory()
        self.port = free_port()
        name, _, value = self._mark.decode().partition("=")
        paths = os.pathsep.join([str(ROOT), str(FOLDER)])
        variables = {**os.environ, name: value, "PYTHONPATH": paths}
        command = way.command(self.port, Path(self._folder.name))
        with Path(self._folder.name, "log").open("wb") as log:
            self._process = subprocess.Popen(
                command, env=variables, cwd=self._folder.name, stdout=log, stderr=log
            )
        self._wait(picture)

    def processes(self) -> list[Path]:
        """The folders in /proc of its processes."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark in (folder / "environ").read_bytes():
                    found.append(folder)
            except OSError:
                continue  # it has ended, or belongs to somebody else
        return found

    def processor_seconds(self) -> float:
        """Processor time of all processes so far, and of those that they have waited for."""
        ticks = 0
        for folder in self.processes():
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """MiB of all processes; pages that several share count once."""
        kilobytes = 0
        for folder in self.processes():
            for line in (folder / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kilobytes += int(line.split()[1])
        return kilobytes / 1024

    def stop(self) -> None:
        """End all of its processes."""
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        self._kill()
        self._process.wait()
        self._folder.cleanup()

    def ask(self, connection: http.client.HTTPConnection, picture: bytes) -> None:
        """Send a picture, and wait for the answer."""
        kind = (
            {"Content-Type": "application/json"}
            if self._way.body is as_json
            else {"Content-Type": "image/jpeg"}
        )
        connection.request("POST", self._way.path, self._way.body(picture), kind)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise RuntimeError(f"{self._way.name}: {response.status} {answer[:300]!r}")

    def connection(self) -> http.client.HTTPConnection:
        """A new connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def _wait(self, picture: bytes) -> None:
        end = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                return self.ask(self.connection(), picture)
            except (OSError, http.client.HTTPException, RuntimeError) as error:
                log = Path(self._folder.name, "log").read_text(errors="replace")
                if self._process.poll() is not None or time.monotonic() > end:
                    self._kill()
                    raise SystemExit(
                        f"{self._way.name} did not start: {error}\n{log[-3000:]}"
                    ) from error
                time.sleep(0.5)

    def _kill(self) -> None:
        """End what is left of its processes."""
        for folder in self.processes():
            os.kill(int(folder.name), signal.SIGKILL)


def measure(
    way: Way, pictures: Sequence[bytes], clients: int, requests: int
) -> Figures:
    """Start a server, send requests, and end it."""
    server = Server(way, pictures[0])
    try:
        send(server, pictures, clients, WARM_UP)
        before = server.processor_seconds()
        began = time.perf_counter()
        latencies = send(server, pictures, clients, requests)
        seconds = time.perf_counter() - began
        processor = server.processor_seconds() - before
        memory = server.memory()
    finally:
        server.stop()
    return figures(latencies, seconds, processor, memory)


def send(
    server: Server, pictures: Sequence[bytes], clients: int, requests: int
) -> list[float]:
    """Send requests from clients that each wait for their answer; the seconds of each."""
    numbers = iter(range(requests))
    lock = threading.Lock()
    latencies: list[float] = []
    errors: list[Exception] = []

    def work() -> None:
        connection = server.connection()
        while not errors:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            began = time.perf_counter()
            try:
                server.ask(connection, pictures[number % len(pictures)])
            except Exception as error:
                errors.append(error)
                return
            latencies.append(time.perf_counter() - began)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return latencies


def in_process(given: argparse.Namespace) -> Figures:
    """The loop without a server, in a process of its own."""
    command = [python(".venv-serving"), str(FOLDER / "loop.py")]
    command += [given.bundle, given.pictures, str(given.requests), str(WARM_UP)]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=variables, capture_output=True, check=True)
    return figures(**json.loads(done.stdout))


def figures(
    latencies: Sequence[float], seconds: float, processor: float, memory: float
) -> Figures:
    """The figures of a run."""
    ordered = sorted(latencies)
    count = len(ordered)
    return Figures(
        processor=1000 * processor / count,
        rate=count / seconds,
        p50=1000 * ordered[count // 2],
        p99=1000 * ordered[int(0.99 * count)],
        memory=memory,
    )


def show(name: str, rounds: Sequence[Figures]) -> None:
    """Print a row of the table."""
    cells = [name]
    for field in ("processor", "rate", "p50", "p99", "memory"):
        values = [getattr(each, field) for each in rounds]
        listed = ", ".join(f"{value:.1f}" for value in values)
        cells.append(f"{statistics.median(values):.1f} ({listed})")
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Measure all ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", required=True, help="a bundle with inference.onnx")
    parser.add_argument("--pictures", required=True, help="a folder of JPEG files")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    os.environ["BUNDLE"] = str(Path(given.bundle).resolve())
    files = sorted(
        path
        for path in Path(given.pictures).rglob("*")
        if path.suffix.lower() in (".jpg", ".jpeg")
    )
    pictures = [path.read_bytes() for path in files]
    found: dict[str, list[Figures]] = {}
    for _ in range(given.rounds):
        found.setdefault("in-process loop", []).append(in_process(given))
        for way in WAYS:
            of_way = found.setdefault(way.name, [])
            of_way.append(measure(way, pictures, given.clients, given.requests))
        one = found.setdefault(f"{AT_ONCE.name}, one client", [])
        one.append(measure(AT_ONCE, pictures, 1, given.requests))
    print(f"{given.requests} requests, {given.clients} clients, {given.rounds} rounds")
    print("| | processor ms/picture | pictures/s | p50 ms | p99 ms | MiB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, rounds in found.items():
        show(name, rounds)


if __name__ == "__main__":
    main()
