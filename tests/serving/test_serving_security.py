"""Tokens, who may change models, and options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ppcls.serving.options import Batching, Limits, ServerOptions
from ppcls.serving.refusals import Forbidden, Unauthenticated, UnknownModel
from ppcls.serving.security import Access
from ppcls.utils.errors import UserError

LOAD = "/v2/repository/models/cats/load"
HEALTH = ["/", "/v2/health/live", "/v2/health/ready", "/v2/models/cats/ready", "/v1/models/cats"]
OTHERS = ["/v2", "/v2/models", "/v2/models/cats", "/v2/models/cats/infer", "/v1/models", "/v1/models/cats:predict"]


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("sesame-1\n")
    return path


@pytest.mark.parametrize("path", [*OTHERS, LOAD, "/metrics", "/v2/models/cats/classify", "/v2/models/a/b/ready"])
def test_a_token_is_asked_for(token_file: Path, path: str) -> None:
    access = Access(ServerOptions(host="0.0.0.0", token_file=token_file))
    for given in ({}, {"authorization": "Bearer sesame-2"}, {"authorization": "Basic sesame-1"}):
        with pytest.raises(Unauthenticated):
            access.check_http(path, given)
    for right in ("Bearer sesame-1", "bearer sesame-1"):
        access.check_http(path, {"authorization": right})


@pytest.mark.parametrize("path", HEALTH)
def test_health_needs_no_token(token_file: Path, path: str) -> None:
    Access(ServerOptions(token_file=token_file)).check_http(path, {})


def test_grpc_asks_for_the_token_alike(token_file: Path) -> None:
    access = Access(ServerOptions(token_file=token_file))
    for call in ("ServerLive", "ServerReady", "ModelReady"):
        access.check_grpc(call, "")
    for call in ("ModelInfer", "ModelMetadata", "ServerMetadata", "RepositoryModelLoad"):
        with pytest.raises(Unauthenticated):
            access.check_grpc(call, "")
        access.check_grpc(call, "Bearer sesame-1")


def test_models_are_changed_with_a_token_or_on_loopback_alone(token_file: Path) -> None:
    local, remote = {"host": "127.0.0.1:8080"}, {"host": "models.example.org", "authorization": "Bearer sesame-1"}
    Access(ServerOptions()).check_http(LOAD, local)
    Access(ServerOptions()).check_grpc("RepositoryModelLoad", "")
    Access(ServerOptions(host="0.0.0.0", token_file=token_file)).check_http(LOAD, remote)
    open_to_all = Access(ServerOptions(host="0.0.0.0"))
    with pytest.raises(UnknownModel, match="start it with --token-file, or on a loopback address"):
        open_to_all.check_http(LOAD, local)
    with pytest.raises(UnknownModel):
        open_to_all.check_grpc("RepositoryModelUnload", "")


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:8080", "origin": "https://example.org"},
        {"host": "127.0.0.1:8080", "origin": "null"},
        {"host": "rebound.example.org:8080"},
        {},
    ],
)
def test_pages_of_other_sites_change_no_models(headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        Access(ServerOptions()).check_http(LOAD, headers)


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8080"])
def test_the_servers_own_page_may(host: str) -> None:
    Access(ServerOptions()).check_http(LOAD, {"host": host, "origin": f"http://{host}"})


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"two\nlines", "naïve".encode()])
def test_a_file_that_is_no_token(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(UserError, match="a token is one line of printable ASCII"):
        Access(ServerOptions(token_file=path))


def test_a_token_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give --token-file a file with one line"):
        Access(ServerOptions(token_file=tmp_path / "none"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.org", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert ServerOptions(host=host).is_loopback is expected


@pytest.mark.parametrize(
    ("make", "values", "sentence"),
    [
        (Limits, {"queue": 0}, "--queue is 0; write a number above 0"),
        (Limits, {"body_bytes": -1}, "--max-body is -1"),
        (Limits, {"seconds": 0}, "--timeout is 0"),
        (Batching, {"size": 0}, "--batch-size is 0"),
        (Batching, {"seconds": -0.001}, "--batch-delay is -1; write milliseconds from 0"),
        (ServerOptions, {"http_port": 65536}, "--http-port is 65536; write a number from 0 to 65535"),
        (ServerOptions, {"grpc_port": -1}, "--grpc-port is -1"),
        (ServerOptions, {"certificate": Path("cert.pem")}, "give both --tls-cert and --tls-key"),
    ],
)
def test_values_that_cannot_be(make: Any, values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        make(**values)
