"""What `ppcls serve` does when clients ask for too much, go away or are slow, when an engine dies, and when it ends."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
import pytest
import tritonclient.grpc
from serving_process import SECONDS, Serving
from tritonclient.utils import InferenceServerException

from helpers.checkout import ROOT
from helpers.new_process import new_python, with_checkout
from ppcls.inference import Classifier

CLASSIFY = "/v2/models/tiny/classify"
READY = "/v2/health/ready"


@pytest.fixture(scope="module")
def picture() -> bytes:
    pixels = np.random.default_rng(5).integers(0, 256, (60, 50, 3), np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


@pytest.fixture
def start(exported: Path) -> Iterator[Callable[..., Serving]]:
    """Starts servers of the tiny bundle, which end with the test."""
    servers: list[Serving] = []

    def begin(*words: object, **settings: Any) -> Serving:
        servers.append(Serving(f"tiny={exported}", *words, **settings))
        return servers[-1]

    yield begin
    for server in servers:
        server.__exit__()


def until(condition: Callable[[], bool]) -> None:
    """Waits for what another process does in moments."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def connection(server: Serving) -> socket.socket:
    host, _, port = server.host.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=SECONDS)


def listens(server: Serving) -> bool:
    try:
        connection(server).close()
    except OSError:
        return False
    return True


def stopped(server: Serving) -> int:
    """Holds up the server's only engine, as a long batch does, and gives its process."""
    (engine,) = server.children()
    os.kill(engine, signal.SIGSTOP)
    return engine


def grpc_input(content: bytes) -> tritonclient.grpc.InferInput:
    given = tritonclient.grpc.InferInput("image", [1], "BYTES")
    given.set_data_from_numpy(np.array([content], np.object_))
    return given


@contextlib.contextmanager
def refused_by_grpc(server: Serving, code: str) -> Iterator[tritonclient.grpc.InferenceServerClient]:
    """A client whose call has to fail with a code."""
    client = tritonclient.grpc.InferenceServerClient(server.grpc)
    with pytest.raises(InferenceServerException) as raised:
        yield client
    assert raised.value.status() == f"StatusCode.{code}"
    client.close()


def repository(server: Serving, call: str, model: str) -> None:
    """A call of KServe's repository, whose messages are not those of tritonclient."""
    message = b"\x0a" + bytes([len(model)]) + model.encode()  # field 1, a text
    with grpc.insecure_channel(server.grpc) as channel:
        channel.unary_unary(f"/inference.GRPCInferenceService/{call}")(message, timeout=SECONDS)


def test_the_limits_of_a_request(start: Callable[..., Serving], picture: bytes) -> None:
    limits = ("--max-body=20000", "--max-pixels=10000", "--max-pictures=2", "--body-timeout=2", "--timeout=5")
    server = start(*limits, "--batch-size=1")
    assert server.ask(CLASSIFY, picture)[0] == 200
    wide = cv2.imencode(".png", np.zeros((101, 100, 3), np.uint8))[1].tobytes()
    status, answer, _ = server.ask(CLASSIFY, wide)
    assert status == 400
    assert "it has 100x101 pixels (10,100), but this server takes 10,000; reduce the picture" in answer["error"]
    status, answer, _ = server.ask(CLASSIFY, b"1" * 20001)
    assert (status, answer["error"][:36]) == (413, "the request has more than 20,000 byt")
    status, answer, _ = server.ask("/v1/models/tiny:predict", {"instances": [{"b64": ""}] * 3})
    assert (status, answer["error"][:30]) == (400, "the request has 3 pictures; se")
    with connection(server) as slow:
        slow.sendall(f"POST {CLASSIFY} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nbegin".encode())
        answered = slow.makefile("rb").read()  # the connection is closed behind it
    assert answered.startswith(b"HTTP/1.1 408 ") and b"did not arrive within 2 s" in answered
    with refused_by_grpc(server, "RESOURCE_EXHAUSTED") as client:
        client.infer("tiny", [grpc_input(b"1" * 20001)])
    assert server.metric("ppcls_rejected_total", model="tiny", reason="bytes") == 1
    assert server.metric("ppcls_rejected_total", model="tiny", reason="slow") == 1
    # The deadline, while the engine is held up
    engine = stopped(server)
    status, answer, _ = server.ask(CLASSIFY, picture)
    assert (status, answer["error"][:33]) == (504, "the request took longer than 5 s;")
    for seconds in (None, 1):  # the server's bound, and the client's
        with refused_by_grpc(server, "DEADLINE_EXCEEDED") as client:
            client.infer("tiny", [grpc_input(picture)], client_timeout=seconds)
    # Nothing of them waits any more
    until(lambda: server.metric("ppcls_queue_length", model="tiny") == 0)
    os.kill(engine, signal.SIGCONT)
    assert server.ask(CLASSIFY, picture)[0] == 200


@pytest.fixture(scope="module")
def short(exported: Path) -> Iterator[Serving]:
    """A server whose queue is short, with one picture per batch."""
    with Serving(f"tiny={exported}", "--queue=4", "--batch-size=1") as server:
        yield server


def test_a_full_queue_refuses_and_the_accepted_are_answered(short: Serving, picture: bytes) -> None:
    engine = stopped(short)
    with ThreadPoolExecutor(5) as clients:
        # One is with the engine, four wait
        running = clients.submit(short.ask, CLASSIFY, picture)
        until(lambda: short.metric("ppcls_batch_size_count", model="tiny") == 1)
        waiting = [clients.submit(short.ask, CLASSIFY, picture) for _ in range(4)]
        until(lambda: short.metric("ppcls_queue_length", model="tiny") == 4)
        status, answer, headers = short.ask(CLASSIFY, picture)
        assert (status, headers["retry-after"]) == (503, "1")
        assert answer["error"] == "4 pictures are waiting for this model, and its queue holds 4; try again later"
        with refused_by_grpc(short, "RESOURCE_EXHAUSTED") as client:
            client.infer("tiny", [grpc_input(picture)])
        assert short.ask(READY)[0] == 200
        os.kill(engine, signal.SIGCONT)
        assert [future.result()[0] for future in (running, *waiting)] == [200] * 5
    assert short.metric("ppcls_rejected_total", model="tiny", reason="queue") == 2
    assert short.metric("ppcls_requests_total", model="tiny", protocol="http", code="503") == 1
    assert short.metric("ppcls_requests_total", model="tiny", protocol="grpc", code="RESOURCE_EXHAUSTED") == 1
    for name in ("queue", "decode", "inference"):
        assert short.metric(f"ppcls_{name}_seconds_count", model="tiny") == 5


def test_clients_that_leave_hold_nothing(short: Serving, picture: bytes) -> None:
    gone = short.metric("ppcls_requests_total", protocol="http", code="499")
    engine = stopped(short)
    head = f"POST {CLASSIFY} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(picture)}\r\n\r\n".encode()
    for sent in (picture, picture[:100]):
        for _ in range(4):
            with connection(short) as client:
                client.sendall(head + sent)
    until(lambda: short.metric("ppcls_requests_total", protocol="http", code="499") == gone + 8)
    assert short.metric("ppcls_queue_length", model="tiny") == 0
    os.kill(engine, signal.SIGCONT)
    assert short.ask(CLASSIFY, picture)[0] == 200


def test_an_engine_that_is_killed_is_replaced(short: Serving, exported: Path, picture: bytes) -> None:
    batches = short.metric("ppcls_batch_size_count", model="tiny")
    engine = stopped(short)
    with ThreadPoolExecutor(3) as clients:
        lost = clients.submit(short.ask, CLASSIFY, picture)
        until(lambda: short.metric("ppcls_batch_size_count", model="tiny") == batches + 1)
        waiting = [clients.submit(short.ask, CLASSIFY, picture) for _ in range(2)]
        until(lambda: short.metric("ppcls_queue_length", model="tiny") == 2)
        os.kill(engine, signal.SIGKILL)
        until(lambda: short.ask(READY)[0] == 503)
        assert short.ask("/v2/health/live")[0] == 200
        assert short.ask("/v2/models/tiny/ready")[0] == 503
        status, answer, _ = lost.result()
        assert (status, answer["error"][:27]) == (503, "the process that computed t")
        (expected,) = Classifier(exported).predict([picture])
        for future in waiting:
            status, answer, _ = future.result()
            assert (status, answer["class_ids"]) == (200, expected.class_ids)
    until(lambda: short.ask(READY)[0] == 200)
    assert short.metric("ppcls_engines_replaced_total", model="tiny") == 1
    (another,) = short.children()
    assert another != engine
    # One that dies while nobody asks is replaced too
    os.kill(another, signal.SIGKILL)
    until(lambda: short.metric("ppcls_engines_replaced_total", model="tiny") == 2)
    assert short.ask(CLASSIFY, picture)[0] == 200


def test_from_loading_to_the_end(start: Callable[..., Serving], picture: bytes) -> None:
    server = start("--batch-size=1", wait=False)
    assert server.ask("/v2/health/live")[0] == 200
    assert server.ask(READY)[0] == 503
    status, answer, _ = server.ask(CLASSIFY, picture)
    assert (status, answer["error"]) == (503, "model tiny is still loading")
    server.until("ready")
    idle = http.client.HTTPConnection(server.host, timeout=SECONDS)
    idle.request("GET", READY)
    response = idle.getresponse()
    assert response.status == 200
    response.read()
    engine = stopped(server)
    client = tritonclient.grpc.InferenceServerClient(server.grpc)
    with ThreadPoolExecutor(4) as clients:
        accepted = [clients.submit(server.ask, CLASSIFY, picture) for _ in range(3)]
        called = clients.submit(client.infer, "tiny", [grpc_input(picture)])
        until(lambda: server.metric("ppcls_batch_size_count", model="tiny") == 1)
        until(lambda: server.metric("ppcls_queue_length", model="tiny") == 3)
        server.process.send_signal(signal.SIGTERM)
        server.until("draining")
        assert idle.sock.recv(1) == b""  # it was closed
        idle.close()
        until(lambda: not listens(server))
        os.kill(engine, signal.SIGCONT)
        assert [future.result()[0] for future in accepted] == [200] * 3
        assert called.result().as_numpy("scores").shape == (1, 5)
    client.close()
    assert server.stop() == 0
    assert not Path(f"/proc/{engine}").exists()


def test_the_end_is_bounded(start: Callable[..., Serving], picture: bytes) -> None:
    server = start("--drain-timeout=1", "--batch-size=1")
    engine = stopped(server)
    with ThreadPoolExecutor(1) as clients:
        lost = clients.submit(server.ask, CLASSIFY, picture)
        until(lambda: server.metric("ppcls_batch_size_count", model="tiny") == 1)
        began = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        assert server.stop() == 0
        assert time.monotonic() - began < 25
        assert isinstance(lost.exception(), (OSError, http.client.HTTPException)) or lost.result()[0] >= 500
    assert not Path(f"/proc/{engine}").exists()


def test_models_are_changed_without_a_lost_request(
    start: Callable[..., Serving], exported: Path, copy: Path, picture: bytes
) -> None:
    server = start(f"broken={copy}")
    end = threading.Event()

    def ask() -> list[int]:
        found = []
        while not end.is_set():
            found.append(server.ask(CLASSIFY, picture)[0])
        return found

    before = server.children()
    with ThreadPoolExecutor(2) as clients:
        asking = [clients.submit(ask) for _ in range(2)]
        try:
            assert server.ask("/v2/repository/models/tiny/load", {})[:2] == (200, {"name": "tiny", "load": True})
        finally:
            end.set()
        statuses = [status for future in asking for status in future.result()]
    assert len(set(server.children()) - set(before)) == 1
    assert len(statuses) > 4
    assert set(statuses) == {200}
    # A bundle that became damaged leaves the old one where it is
    (copy / "inference.yml").write_text("schema: 1\n")
    status, answer, _ = server.ask("/v2/repository/models/broken/load", {})
    assert (status, answer["error"][:31]) == (500, "model broken cannot be loaded: ")
    assert server.ask("/v2/models/broken/classify", picture)[0] == 200
    repository(server, "RepositoryModelUnload", "tiny")
    assert server.ask("/v2/models/tiny/ready")[0] == 503
    status, answer, _ = server.ask(CLASSIFY, picture)
    assert (status, answer["error"]) == (503, "model tiny was unloaded")
    states = {entry["name"]: entry["state"] for entry in server.ask("/v2/repository/index", {})[1]}
    assert states == {"tiny": "UNAVAILABLE", "broken": "READY"}
    assert server.ask(READY)[0] == 200
    assert server.ask("/v2/repository/models/none/load", {})[0] == 404
    repository(server, "RepositoryModelLoad", "tiny")
    assert server.ask(CLASSIFY, picture)[0] == 200


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that is its own authority, and its key."""
    key, path = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path, key


def test_the_token_and_tls(
    start: Callable[..., Serving], certificate: tuple[Path, Path], picture: bytes, tmp_path: Path
) -> None:
    path, key = certificate
    (tmp_path / "token").write_text("sesame\n")
    server = start(f"--tls-cert={path}", f"--tls-key={key}", f"--token-file={tmp_path / 'token'}")
    assert server.address.startswith("https://127.0.0.1:")
    server.context = ssl.create_default_context(cafile=str(path))
    assert [server.ask(each)[0] for each in ("/", READY, "/v2/models/tiny/ready")] == [200] * 3
    status, answer, headers = server.ask(CLASSIFY, picture)
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert answer["error"].startswith("the request needs the header Authorization")
    assert server.ask("/metrics")[0] == 401
    right = {"Authorization": "Bearer sesame"}
    assert server.ask(CLASSIFY, picture, **right)[0] == 200
    assert server.ask("/v2/repository/index", {}, **right)[0] == 200
    client = tritonclient.grpc.InferenceServerClient(server.grpc, ssl=True, root_certificates=str(path))
    assert client.is_server_ready()
    with pytest.raises(InferenceServerException) as raised:
        client.get_model_metadata("tiny")
    assert raised.value.status() == "StatusCode.UNAUTHENTICATED"
    assert client.get_model_metadata("tiny", headers={"authorization": "Bearer sesame"}).name == "tiny"
    client.close()
    assert "sesame" not in str(server.lines)


def test_mistakes_of_the_command_line(exported: Path, tmp_path: Path) -> None:
    none = tmp_path / "none"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for words, sentence in (
            ([f"tiny={none}"], "neither a bundle's path nor a published model's name"),
            ([f"a/b={exported}"], "'a/b' cannot stand in an address; write NAME="),
            ([f"tiny={exported}", f"tiny={exported}"], "there are two models named tiny"),
            ([f"tiny={exported}", f"--http-port={port}"], "give another --http-port"),
            ([f"tiny={exported}", "--http-port=0", f"--grpc-port={port}"], "give another --grpc-port"),
            ([f"tiny={exported}", "--queue=0"], "--queue is 0; write a number above 0"),
            ([f"tiny={exported}", f"--token-file={none}"], "give --token-file a file with one line"),
            ([f"tiny={exported}", f"--tls-cert={none}", f"--tls-key={none}"], "give --tls-cert a file in PEM format"),
            (
                [f"tiny={exported}", f"--tls-cert={__file__}", f"--tls-key={__file__}"],
                "are not a certificate and its key",
            ),
        ):
            ran = new_python("-m", "ppcls", "serve", *words)
            assert ran.code == 2, ran.err
            assert sentence in ran.err and "Traceback" not in ran.err


def test_without_the_extra_one_sentence_says_what_to_install(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "kserve").mkdir()
    (tmp_path / "kserve" / "__init__.py").write_text("raise ModuleNotFoundError('x', name='kserve')\n")
    environment = with_checkout()
    environment["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{environment['PYTHONPATH']}"
    command = [sys.executable, "-m", "ppcls", "serve", f"tiny={exported}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "KServe is not installed; run `pip install 'ppcls[serving]'`\n")
