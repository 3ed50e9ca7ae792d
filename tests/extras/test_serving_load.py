"""10,000 requests from 64 clients, good and bad ones mixed, and the end of a server that is busy.

PPCLS_LOAD_REQUESTS takes another number of requests.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import signal
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tritonclient.grpc
from serving_process import SECONDS, Serving
from tritonclient.utils import InferenceServerException

from ppcls.inference import Classifier

REQUESTS = int(os.environ.get("PPCLS_LOAD_REQUESTS", "10000"))
CLIENTS = 64
CLASSIFY, INFER, PREDICT = "/v2/models/tiny/classify", "/v2/models/tiny/infer", "/v1/models/tiny:predict"
Answer = tuple[int, dict[str, Any]]


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    rng = np.random.default_rng(5)
    found = []
    for number in range(40):
        pixels = rng.integers(0, 256, (40 + number, 80 - number, 3), np.uint8)
        found.append(cv2.imencode((".jpg", ".png")[number % 2], pixels)[1].tobytes())
    return found


def png(width: int, height: int) -> bytes:
    """A black PNG of one bit per pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer = zlib.compressobj(1)
    row = bytes(1 + (width + 7) // 8)
    data = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def infer(**entry: Any) -> bytes:
    given = {"name": "image", "shape": [1], "datatype": "BYTES", "data": ["aGk="], **entry}
    return json.dumps({"inputs": [given]}).encode()


class Connection:
    """A client's connection, which is opened again after it was closed."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._open: http.client.HTTPConnection | None = None

    def post(self, path: str, body: bytes) -> Answer:
        if self._open is None:
            self._open = http.client.HTTPConnection(self._host, timeout=SECONDS)
        self._open.request("POST", path, body, {"Content-Type": "application/json"})
        response = self._open.getresponse()
        answer = json.loads(response.read())
        if response.will_close:
            self.close()
        return response.status, answer

    def leave(self, body: bytes, sent: int) -> None:
        """Sends a part of a request and goes."""
        with self._raw(body, sent):
            pass

    def dawdle(self, body: bytes) -> Answer:
        """Sends a part of a request, and no more."""
        with self._raw(body, len(body) // 2) as raw:
            head, _, content = raw.makefile("rb").read().partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(content)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open = None

    def _raw(self, body: bytes, sent: int) -> socket.socket:
        host, _, port = self._host.rpartition(":")
        raw = socket.create_connection((host, int(port)), timeout=SECONDS)
        raw.sendall(f"POST {CLASSIFY} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        raw.sendall(body[:sent])
        return raw


class Load:
    """What 64 clients send and get.

    Args:
        host: the server.
        pictures: good ones.
        expected: their class ids and scores, as `ppcls predict` has them.
    """

    def __init__(self, host: str, pictures: list[bytes], expected: list[Any]) -> None:
        self._host, self._pictures, self._expected = host, pictures, expected
        jpeg = pictures[0]
        bodies = [b"no picture", jpeg[: len(jpeg) // 2], b"", png(1, 1_000_000), png(30_000, 30_000)]
        self._bad = [(CLASSIFY, body, 400) for body in bodies]
        tensor = {"name": "image_tensor", "datatype": "FP32", "shape": [1, 3, 32, 32]}
        for entry in (
            {"datatype": "FP32"},
            {"shape": [7]},
            {**tensor, "data": [1.0]},
            {**tensor, "shape": [3, 32, 32]},
        ):
            self._bad.append((INFER, infer(**entry), 400))
        self._large = bytes(50_000_000)
        self.seconds: list[float] = []
        self.problems: list[str] = []
        self.kinds: Counter[str] = Counter()

    def one(self, number: int, client: Connection) -> None:
        """The request of a number: of 50 are 5 bad, one leaves; of 500 are one slow and one large."""
        rng = random.Random(number)
        place = rng.randrange(len(self._pictures))
        content = self._pictures[place]
        if number % 500 == 1:
            self._refused("slow", client.dawdle(content), 408)
        elif number % 500 == 2:
            self._refused("large", client.post(CLASSIFY, self._large), 413)
        elif number % 50 == 3:
            client.leave(content, rng.choice([0, 10, len(content)]))
            self.kinds["left"] += 1
        elif number % 10 == 4:
            path, body, status = rng.choice(self._bad)
            self._refused("bad", client.post(path, body), status)
        else:
            began = time.perf_counter()
            found = self._classified(number, client, content)
            self.seconds.append(time.perf_counter() - began)
            expected = self._expected[place]
            if found != (expected.class_ids, pytest.approx(expected.scores, abs=1e-5)):
                self.problems.append(f"request {number}: {found}")
            self.kinds["good"] += 1

    def _classified(self, number: int, client: Connection, content: bytes) -> tuple[Any, Any]:
        """Class ids and scores by one of three forms of a request."""
        text = base64.b64encode(content).decode()
        if number % 3 == 0:
            status, answer = client.post(INFER, infer(data=[text]))
            if status == 200:
                found = {output["name"]: output["data"] for output in answer["outputs"]}
                return found["class_ids"], found["scores"]
        elif number % 3 == 1:
            status, answer = client.post(PREDICT, json.dumps({"instances": [{"b64": text}]}).encode())
            if status == 200:
                (prediction,) = answer["predictions"]
                return prediction["class_ids"], prediction["scores"]
        else:
            status, answer = client.post(CLASSIFY, content)
            if status == 200:
                return answer["class_ids"], answer["scores"]
        return status, answer

    def _refused(self, kind: str, answer: Answer, status: int) -> None:
        self.kinds[kind] += 1
        sentence = answer[1].get("error", "")
        if answer[0] != status or len(sentence) < 20:
            self.problems.append(f"{kind}: {answer}")

    def run(self, numbers: range) -> None:
        """Sends the requests of numbers from all clients."""
        rest = iter(numbers)
        lock = threading.Lock()

        def work() -> None:
            client = Connection(self._host)
            while True:
                with lock:
                    number = next(rest, None)
                if number is None:
                    return client.close()
                try:
                    self.one(number, client)
                except Exception as error:
                    self.problems.append(f"request {number}: {error!r}")
                    client.close()

        run_all([work] * CLIENTS)


def run_all(works: list[Callable[[], Any]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def memory(server: Serving) -> int:
    """Resident bytes of the server and its engines."""
    found = 0
    for process in (server.process.pid, *server.children()):
        found += int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return found * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def server(exported: Path) -> Iterator[Serving]:
    with Serving(f"tiny={exported}", "--body-timeout=20") as serving:
        yield serving


def test_ten_thousand_requests(
    server: Serving, exported: Path, pictures: list[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    load = Load(server.host, pictures, list(Classifier(exported, topk=5).predict(pictures)))
    began = time.perf_counter()
    load.run(range(REQUESTS // 2))
    middle = memory(server)
    load.run(range(REQUESTS // 2, REQUESTS))
    seconds = time.perf_counter() - began
    end = memory(server)
    assert load.problems == []
    assert sum(load.kinds.values()) == REQUESTS
    assert set(load.kinds) == {"good", "bad", "left", "slow", "large"}
    assert end <= 1.1 * middle
    p50, p99 = np.percentile(load.seconds, [50, 99])
    with capsys.disabled():
        print(
            f"\n{REQUESTS} requests from {CLIENTS} clients in {seconds:.0f} s, {REQUESTS / seconds:.0f}/s: "
            f"{dict(load.kinds)}; "
            f"good ones: p50 {1000 * p50:.0f} ms, p99 {1000 * p99:.0f} ms; memory {middle >> 20} MiB in the middle, "
            f"{end >> 20} MiB at the end"
        )
    assert server.metric("ppcls_queue_length", model="tiny") == 0
    assert server.ask("/v2/health/ready")[0] == 200


def test_sigterm_in_mid_load(server: Serving, pictures: list[bytes]) -> None:
    """What the server has logged as answered, its clients have received."""
    received: Counter[str] = Counter()
    enough = threading.Event()

    def count(protocol: str) -> None:
        received[protocol] += 1
        if received["http"] > 100 and received["grpc"] > 20:
            enough.set()

    def rest() -> None:
        client = Connection(server.host)
        try:
            while client.post(CLASSIFY, pictures[0])[0] == 200:
                count("http")
        except (OSError, http.client.HTTPException):
            pass  # refused, or an idle connection was closed
        client.close()

    def grpc() -> None:
        client = tritonclient.grpc.InferenceServerClient(server.grpc)
        given = tritonclient.grpc.InferInput("image", [1], "BYTES")
        given.set_data_from_numpy(np.array([pictures[1]], np.object_))
        try:
            while True:
                client.infer("tiny", [given])
                count("grpc")
        except InferenceServerException as error:
            # A call that the server has not begun when it closes the port is cancelled
            assert error.status() in ("StatusCode.UNAVAILABLE", "StatusCode.CANCELLED")
        client.close()

    def stop() -> None:
        assert enough.wait(SECONDS)
        server.process.send_signal(signal.SIGTERM)

    run_all([*[rest] * 16, *[grpc] * 8, stop])
    assert server.stop() == 0
    answered = Counter(
        record["protocol"]
        for record in server.lines
        if record["message"] == "request" and record["code"] in (200, "OK")
    )
    assert answered == received
    assert server.lines[-1]["message"] == "ended"
