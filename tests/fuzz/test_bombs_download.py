"""Answers of a hostile server, and damaged files of the cache: bounded, and refused by one sentence."""

import contextlib
import os
import socket
import threading

import pytest

from helpers.bounds import assert_bounded
from helpers.fuzzing import assert_every_mutant_is_read_or_refused
from ppcls.utils import download, paced_http, transfer
from ppcls.utils.download import cached_path, fetch
from ppcls.utils.errors import UserError

MEGABYTE = 1 << 20
WHOLE = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\nETag: "one"\r\nLast-Modified: x\r\n\r\nhello world!'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n world!\r\n0\r\n\r\n"
REST = b'HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-11/12\r\nContent-Length: 7\r\nETag: "one"\r\n\r\n world!'
MOVED = b"HTTP/1.1 302 Found\r\nLocation: {address}/elsewhere\r\n\r\n"


class RawServer:
    """Sends bytes as the answer to each request, and the last of them again and again if that is asked for."""

    def __init__(self):
        self.answer = b""
        self.repeated = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._socket.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            # The client may hang up at any time.
            with connection, contextlib.suppress(OSError):
                self._respond(connection)

    def _respond(self, connection):
        while not connection.recv(1 << 16).endswith(b"\r\n\r\n"):
            pass
        connection.sendall(self.answer)
        while self.repeated:
            connection.sendall(self.repeated)


@pytest.fixture
def server(tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name == "PPCLS_OFFLINE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PPCLS_HOME", str(tmp_path))
    monkeypatch.setattr(download, "RETRY_WAITS_SECONDS", (0.0,))
    monkeypatch.setattr(transfer, "TIMEOUT_SECONDS", 5.0)
    running = RawServer()
    yield running
    running.close()


# What begins the answer, what follows without an end, and the reason in the sentence.
BOMBS = {
    "no length": (b"HTTP/1.1 200 OK\r\n\r\n", bytes(MEGABYTE), "more than the limit of 8,388,608 bytes"),
    "chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"100000\r\n" + bytes(MEGABYTE) + b"\r\n",
        "more than the limit of 8,388,608 bytes",
    ),
    "a chunk of any size": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 60_000 + b"\r\n",
        bytes(MEGABYTE),
        "more than the limit of 8,388,608 bytes",
    ),
    "a length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000\r\n\r\n",
        bytes(MEGABYTE),
        "the file has 1,000,000,000,000,000 bytes, more than the limit",
    ),
    "a length of many digits": (
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        bytes(MEGABYTE),
        "more than the limit of 8,388,608 bytes",
    ),
    "a range of many digits": (
        b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-1/" + b"9" * 5000 + b"\r\n\r\n",
        b"",
        "the rest of another file",
    ),
    "the body of a redirect": (
        b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/\r\n\r\n",
        bytes(MEGABYTE),
        "is not safe",
    ),
    "the body of redirects": (MOVED, bytes(MEGABYTE), "infinite loop"),
    "the body of an error": (b"HTTP/1.1 404 Not Found\r\n\r\n", bytes(MEGABYTE), "HTTP status 404"),
    "a reason": (b"HTTP/1.1 404 " + b"x" * 60_000 + b"\r\n\r\n", b"", "HTTP status 404"),
    "a reason for a terminal": (b"HTTP/1.1 404 \x1b[31m\x07red\r\n\r\n", b"", "HTTP status 404 (?[31m?red)"),
    "a status line": (b"H" * MEGABYTE, b"", "status"),
    "an address of a redirect": (
        b"HTTP/1.1 302 Found\r\nLocation: gopher://" + b"x" * 60_000 + b"\r\n\r\n",
        b"",
        "HTTP status 302",
    ),
    "status lines": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, "more than 16,777,216 bytes"),
    "trailers": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"A: b\r\n" * 1000,
        "more than 16,777,216 bytes",
    ),
    "a header": (b"HTTP/1.1 200 OK\r\nA: ", b"x" * MEGABYTE, "header line"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 1000, "headers"),
}


@pytest.mark.fuzz
@pytest.mark.parametrize("name", BOMBS)
def test_an_answer_without_end_is_refused(name, server, monkeypatch, tmp_path):
    monkeypatch.setattr(download, "MOST_BYTES", 8 * MEGABYTE)
    monkeypatch.setattr(paced_http, "MOST_BYTES", 16 * MEGABYTE)
    beginning, server.repeated, reason = BOMBS[name]
    server.answer = beginning.replace(b"{address}", server.address.encode())
    message = assert_bounded(lambda: fetch(server.address))
    assert message is not None and reason in message
    assert message.isprintable()
    assert not cached_path(server.address).exists()
    kept = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert kept <= 8 * MEGABYTE


def test_a_name_of_a_version_is_kept_only_if_it_is_short(server, monkeypatch):
    monkeypatch.setattr(download, "RETRY_WAITS_SECONDS", ())
    for version in (b'"' + b"x" * 60_000 + b'"', b'"a\r\n b"', b'"\xff"', b'"a b"'):
        server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nETag: " + version + b"\r\n\r\nhello"
        message = assert_bounded(lambda: fetch(server.address))
        assert message is not None and "the connection ended after 5 of 12 bytes" in message
        (note,) = cached_path(server.address).parent.rglob("*.version")
        assert note.read_bytes() == b""


def remove_file(url):
    cached_path(url).unlink(missing_ok=True)


@pytest.mark.parametrize("whole", [WHOLE, CHUNKED], ids=["length", "chunked"])
def test_a_damaged_answer_is_read_or_refused(whole, server):
    def read(content):
        server.answer = content
        remove_file(server.address)
        fetch(server.address)

    assert_every_mutant_is_read_or_refused(read, whole)


def test_a_damaged_rest_gives_the_right_file_or_none(server):
    """The expected digest decides, whatever the server answers for the rest."""
    digest = "7509e5bda0c762d2bac7f90d758b5b2263fa01ccbc542ab5e3df163be08e6ca9"  # of b"hello world!"

    def read(content):
        remove_file(server.address)
        server.answer = WHOLE[: -len(b" world!")]
        with pytest.raises(UserError):
            fetch(server.address, sha256_prefix=digest)
        server.answer = content
        assert fetch(server.address, sha256_prefix=digest).read_bytes() == b"hello world!"

    assert_every_mutant_is_read_or_refused(read, REST, count=20)


@pytest.mark.parametrize("kind", ["sha256", "version", "part"])
def test_a_damaged_file_of_the_cache_is_passed_over(kind, server):
    url = server.address
    server.answer = WHOLE
    place = fetch(url)
    own = place.parent / f".downloads-{os.getuid()}" / f"{place.name}.{kind}"
    whole = {"sha256": own.read_bytes() if kind == "sha256" else b"", "version": b'"one"', "part": b"hello"}[kind]

    def read(content):
        if kind != "sha256":
            remove_file(url)
            own.with_name(f"{place.name}.version").write_bytes(b'"one"')
        own.write_bytes(content)
        assert fetch(url, sha256_prefix="7509e5bd").read_bytes() == b"hello world!"

    assert assert_every_mutant_is_read_or_refused(read, whole)["refused"] == 0
