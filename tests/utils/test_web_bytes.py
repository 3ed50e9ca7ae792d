"""Pictures by address: whole, or refused with a reason; against a server on this machine only."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from helpers.fickle_server import Answer, FickleServer
from ppcls.utils import paced_http, web_bytes
from ppcls.utils.web_bytes import NotLoaded, load

BODY = bytes(range(256)) * 40  # 10,240 bytes


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name == "PPCLS_OFFLINE":
            monkeypatch.delenv(name)


def reason(*answers: Answer) -> str:
    with FickleServer(*answers) as server, pytest.raises(NotLoaded) as caught:
        load(server.address)
    return str(caught.value)


def test_the_bytes_come_whole_and_by_a_name_that_a_browser_takes() -> None:
    with FickleServer(Answer(BODY, piece=1000)) as server:
        assert load(f"{server.address}/ä b%20c.jpg?x=1&y=[2]") == BODY
        assert server.paths == ["/%C3%A4%20b%20c.jpg?x=1&y=[2]"]
        assert server.requests[0]["User-Agent"] == "ppcls"


def test_a_redirect_is_followed() -> None:
    with FickleServer(Answer(BODY)) as store:
        with FickleServer(Answer(status=307, headers={"Location": f"{store.address}/there"})) as server:
            assert load(server.address) == BODY
        assert store.paths == ["/there"]


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/w", "file:///etc/passwd"])
def test_a_redirect_to_another_protocol_is_refused(target: str) -> None:
    text = reason(Answer(status=302, headers={"Location": target}))
    assert text.startswith("HTTP status 302 (") and target in text


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(status=404), "HTTP status 404 (Not Found)"),
        (Answer(b""), "the answer is empty"),
        (Answer(b"<!DOCTYPE html><p>log in"), "the answer is a web page"),
        (Answer(BODY, sent=10_000), "the connection ended 240 bytes too early"),
    ],
)
def test_an_answer_that_is_no_picture_says_why(answer: Answer, says: str) -> None:
    assert reason(answer) == says


@pytest.mark.parametrize("length", [None, -1])
def test_the_size_is_limited(length: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_bytes, "MOST_BYTES", len(BODY) - 1)
    assert reason(Answer(BODY, length=length)) == "it has more than 10,239 bytes"
    monkeypatch.setattr(web_bytes, "MOST_BYTES", len(BODY))
    with FickleServer(Answer(BODY, length=length)) as server:
        assert load(server.address) == BODY


def test_the_time_is_limited_from_the_first_byte_on(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: Iterator[int] = itertools.count(0, 12)  # seconds, one step for each look at the clock
    monkeypatch.setattr(paced_http, "clock", lambda: float(next(ticks)))
    assert reason(Answer(BODY, piece=1000)) == "the server takes too long"


def test_offline_nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PPCLS_OFFLINE", "1")
    with FickleServer(Answer(BODY)) as server:
        with pytest.raises(NotLoaded, match="PPCLS_OFFLINE=1 forbids downloading it"):
            load(server.address)
        assert server.paths == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:x/a", "http://a..b/w"])
def test_an_address_that_only_looks_like_one_has_a_reason(url: str) -> None:
    with pytest.raises(NotLoaded, match=r"\S"):
        load(url)
