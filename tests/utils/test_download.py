"""Downloading into the cache: resumed, verified, refused with a sentence; against a server on this machine only."""

from __future__ import annotations

import errno
import hashlib
import io
import itertools
import os
import socket
import subprocess
import sys
import threading
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.fickle_server import Answer, FickleServer
from helpers.messages import refusal, says
from helpers.new_process import with_checkout
from ppcls.utils import download, files, lock, paced_http, transfer
from ppcls.utils.download import cached_path, fetch
from ppcls.utils.errors import UserError

BODY = bytes(range(256)) * 40  # 10,240 bytes
DIGEST = hashlib.sha256(BODY).hexdigest()
ETAG = {"ETag": '"one"'}
DATE = "Sat, 21 Nov 2020 08:00:00 GMT"
HAND = "; try again, or put the file at {} by hand"
FINAL = "; put the file at {} by hand"  # where another try would meet the same


@pytest.fixture(autouse=True)
def waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The cache in a fresh folder, no proxy, and the waits noted instead of waited."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in ("PPCLS_OFFLINE", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PPCLS_HOME", str(tmp_path / "cache"))
    noted: list[float] = []
    monkeypatch.setattr(download, "wait", noted.append)
    monkeypatch.setattr(lock, "wait", noted.append)
    return noted


def sentence(url: str, **keywords: object) -> str:
    return refusal(fetch, url, **keywords)


def own(url: str, what: str) -> Path:
    """A file about the download of an address, in the folder that only this user can write to."""
    place = cached_path(url)
    return place.parent / f".downloads-{os.getuid()}" / f"{place.name}.{what}"


def names(url: str) -> list[str]:
    """The files in the cache and in its own folder, `F` standing for the name of the address's file."""
    place = cached_path(url)
    return sorted(path.name.replace(place.name, "F") for path in place.parent.rglob("*") if path.is_file())


def hashed_files(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Fills with the files that are read for their digest."""
    read: list[Path] = []

    def note(path: Path) -> str:
        read.append(path)
        return files.sha256_of(path)

    monkeypatch.setattr(download, "sha256_of", note)
    monkeypatch.setattr(download, "sha256_of", note)
    return read


DONE = ["F", "F.sha256"]


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"PPCLS_HOME": "/data/cache"}, "/data/cache"),
        ({"PPCLS_HOME": "~/c", "HOME": "/home/me"}, "/home/me/c"),
        ({"XDG_CACHE_HOME": "/var/xdg"}, "/var/xdg/ppcls"),
        ({"XDG_CACHE_HOME": "not/absolute", "HOME": "/home/me"}, "/home/me/.cache/ppcls"),
        ({"HOME": "/home/me"}, "/home/me/.cache/ppcls"),
    ],
)
def test_where_the_cache_is(environment: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PPCLS_HOME")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    url = "https://huggingface.co/timm/dla34.in1k/resolve/main/model.safetensors"
    name = "huggingface.co_timm_dla34.in1k_resolve_main_model-1ac4d82c.safetensors"
    assert cached_path(url) == Path(folder, "weights", name)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h:81/a/w.pth?x=1#y", "h_a_w-{}.pth"),
        ("http://h/a_w.pth", "h_a_w-{}.pth"),
        ("http://h", "h_-{}"),
        ("http://h/a.b%20c", "h_a.b_20c-{}"),
        ("https://h/" + "x" * 300 + ".pdparams", "h_" + "x" * 158 + "-{}.pdparams"),
        ("https://h/../../etc/passwd", "h_.._.._etc_passwd-{}"),
    ],
)
def test_names_are_readable_and_end_as_the_address_does(url: str, name: str) -> None:
    assert cached_path(url).name == name.format(hashlib.sha256(url.encode()).hexdigest()[:8])


def test_equal_file_names_do_not_collide() -> None:
    urls = ["http://h/a/model.pth", "http://h/a_model.pth", "https://h/a/model.pth", "http://h/A/model.pth"]
    assert len({cached_path(url).name.lower() for url in urls}) == 4


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://h/x", "w.pth", "http://h/a b", "http://h/é", "http://u:p@h/"]
)
def test_other_addresses_are_refused(url: str) -> None:
    assert sentence(url) == says(f"{url}: only ... http:// and https:// ...; give one, or the path of a file")


def test_a_file_is_downloaded_once_and_then_taken_from_the_cache(waits: list[float]) -> None:
    with FickleServer(Answer(BODY, headers=ETAG)) as server:
        url = f"{server.address}/a/w.pth"
        path = fetch(url, sha256_prefix=DIGEST[:8].upper(), size=10_240)
        assert path == cached_path(url)
        assert path.read_bytes() == BODY
        assert fetch(url, sha256_prefix=DIGEST[:8], size=10_240) == path
        assert server.paths == ["/a/w.pth"]
        assert "Range" not in server.requests[0]
    assert fetch(url) == path  # the server is gone
    assert (names(url), waits) == (DONE, [])


def test_a_download_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read = hashed_files(monkeypatch)
    with FickleServer(Answer(BODY)) as server:
        place = fetch(server.address)
    assert fetch(server.address) == place
    assert read == [own(server.address, "part")]


def test_a_slow_server_is_waited_for() -> None:
    with FickleServer(Answer(BODY, piece=7)) as server:
        assert fetch(server.address).read_bytes() == BODY


def test_a_body_without_a_length_is_taken_until_it_ends() -> None:
    with FickleServer(Answer(BODY, length=-1)) as server:
        assert fetch(server.address, size=len(BODY)).read_bytes() == BODY


@given(cut=st.integers(0, len(BODY) - 1))
@settings(max_examples=12)
def test_any_cut_is_resumed_to_the_same_bytes(cut: int) -> None:
    with FickleServer(Answer(BODY, headers=ETAG, sent=cut), Answer(BODY, headers=ETAG)) as server:
        path = fetch(f"{server.address}/{cut}", sha256_prefix=DIGEST)
        assert path.read_bytes() == BODY
        path.unlink()
        assert len(server.requests) == 2
        asked = (server.requests[1].get("Range"), server.requests[1].get("If-Range"))
        assert asked == ((f"bytes={cut}-", '"one"') if cut else (None, None))


def test_a_silent_server_is_asked_again_for_the_rest(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    monkeypatch.setattr(transfer, "TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(transfer, "_BLOCK_BYTES", 1000)
    with FickleServer(Answer(BODY, headers=ETAG, sent=3000, stalls=True), Answer(BODY, headers=ETAG)) as server:
        assert fetch(server.address).read_bytes() == BODY
        assert [request.get("Range") for request in server.requests] == [None, "bytes=3000-"]
    assert waits == [1.0]


def test_a_server_that_stays_silent_gets_a_sentence(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    monkeypatch.setattr(transfer, "TIMEOUT_SECONDS", 0.1)
    with FickleServer(Answer(BODY, sent=0, stalls=True)) as server:
        url = server.address
        text = sentence(url)
        assert text == f"{url}: cannot download the weights: timed out" + HAND.format(cached_path(url))
        assert (len(server.requests), waits) == (4, [1.0, 3.0, 9.0])


def test_what_arrived_is_kept_for_the_next_process() -> None:
    with FickleServer(Answer(BODY, headers=ETAG, sent=5000), Answer(status=503)) as server:
        url = server.address
        text = sentence(url, what="weights of DLA34")
        assert text == says(
            f"{url}: cannot download the weights of DLA34: ... 503 (Service Unavailable)"
            + HAND.format(cached_path(url))
        )
        assert names(url) == ["F.part", "F.version"]
        server.answers[:] = [Answer(BODY, headers=ETAG)]
        assert fetch(url).read_bytes() == BODY
        assert server.requests[-1]["Range"] == "bytes=5000-"
    assert names(url) == DONE


@pytest.mark.parametrize(
    ("second", "asked"),
    [
        (Answer(BODY[::-1], headers={"ETag": '"two"'}), ["bytes=5000-"]),  # If-Range does its work
        (Answer(BODY[::-1], headers=ETAG, ranges=False), ["bytes=5000-"]),
    ],
)
def test_another_file_or_no_ranges_begin_anew(second: Answer, asked: list[str | None]) -> None:
    with FickleServer(Answer(BODY, headers=ETAG, sent=5000), second) as server:
        assert fetch(server.address).read_bytes() == BODY[::-1]
        assert [request.get("Range") for request in server.requests[1:]] == asked


@pytest.mark.parametrize(
    "headers",
    [
        {"ETag": '"two"', "Content-Range": "bytes 5000-10239/10240"},
        {"ETag": '"one"', "Content-Range": "bytes 4000-10239/10240"},
        {"ETag": '"one"'},
    ],
)
def test_a_part_of_something_else_is_not_joined(headers: dict[str, str]) -> None:
    wrong = Answer(b"x" * 5240, status=206, headers=headers, ranges=False)
    with FickleServer(Answer(BODY, headers=ETAG, sent=5000), wrong, Answer(BODY, headers=ETAG)) as server:
        assert fetch(server.address).read_bytes() == BODY
        assert [request.get("Range") for request in server.requests] == [None, "bytes=5000-", None]


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ({"ETag": 'W/"weak"'}, (None, None)),
        ({"ETag": 'W/"weak"', "Last-Modified": DATE}, ("bytes=5000-", DATE)),
        ({}, (None, None)),
    ],
)
def test_only_a_certain_version_is_resumed(headers: dict[str, str], asked: object) -> None:
    with FickleServer(Answer(BODY, headers=headers, sent=5000), Answer(BODY, headers=headers)) as server:
        assert fetch(server.address).read_bytes() == BODY
        assert (server.requests[1].get("Range"), server.requests[1].get("If-Range")) == asked


def test_a_part_that_was_complete_is_not_loaded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with FickleServer(Answer(BODY, headers=ETAG)) as server:
        url = server.address
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(download, "sha256_of", _interrupt)
            fetch(url)
        assert fetch(url).read_bytes() == BODY
        assert [request.get("Range") for request in server.requests] == [None, "bytes=10240-"]
    assert names(url) == DONE


def _interrupt(path: Path) -> str:
    raise KeyboardInterrupt


def test_a_part_that_is_too_long_begins_anew(waits: list[float]) -> None:
    with FickleServer(Answer(BODY, headers=ETAG, sent=5000), Answer(BODY[:100], headers=ETAG)) as server:
        assert fetch(server.address).read_bytes() == BODY[:100]
        assert [request.get("Range") for request in server.requests] == [None, "bytes=5000-", None]
    assert waits == [1.0, 3.0]


def test_a_length_above_the_truth_is_an_interruption() -> None:
    with FickleServer(Answer(BODY, length=20_000)) as server:
        url = server.address
        assert sentence(url) == says(
            f"{url}: cannot download the weights: ... ended after 10,240 of 20,000 bytes"
            + HAND.format(cached_path(url))
        )


def test_a_length_below_the_truth_is_found_by_the_digest() -> None:
    with FickleServer(Answer(BODY, length=10)) as server:
        url = server.address
        found = hashlib.sha256(BODY[:10]).hexdigest()[:8]
        assert sentence(url, sha256_prefix=DIGEST[:8]) == says(
            f"{url}: cannot ...: ... SHA-256 begins with {found}, but {DIGEST[:8]} is expected"
            + HAND.format(cached_path(url))
        )
        assert names(url) == []


def test_another_size_is_refused_before_it_is_loaded(waits: list[float]) -> None:
    with FickleServer(Answer(BODY)) as server:
        url = server.address
        assert sentence(url, size=10_241) == says(
            f"{url}: cannot ...: the file has 10,240 bytes, but 10,241 are expected" + FINAL.format(cached_path(url))
        )
        assert (names(url), len(server.requests), waits) == ([], 1, [])


@pytest.mark.parametrize(
    "page",
    [
        Answer(b"please log in", headers={"Content-Type": "text/html; charset=utf-8"}),
        Answer(b"\xef\xbb\xbf\r\n <!DOCTYPE html><title>Login</title>"),
        Answer(b"<HTML>"),
    ],
)
def test_a_web_page_is_refused(page: Answer, waits: list[float]) -> None:
    with FickleServer(page) as server:
        url = server.address
        assert sentence(url, size=10_240, sha256_prefix=DIGEST) == says(
            f"{url}: cannot download the weights: the answer is a web page ..." + FINAL.format(cached_path(url))
        )
        assert (names(url), waits) == ([], [])


def test_a_web_page_in_between_does_not_spoil_what_has_arrived() -> None:
    page = Answer(b"<html>", headers={"Content-Type": "text/html"}, ranges=False)
    with FickleServer(Answer(BODY, headers=ETAG, sent=5000), page, Answer(BODY, headers=ETAG)) as server:
        assert "the answer is a web page" in sentence(server.address)
        assert fetch(server.address).read_bytes() == BODY
        assert server.requests[-1]["Range"] == "bytes=5000-"


def test_not_found_is_final_and_a_server_error_is_not(waits: list[float]) -> None:
    with FickleServer(Answer(status=404)) as server:
        url = server.address
        text = sentence(url)
        assert text == f"{url}: cannot download the weights: HTTP status 404 (Not Found)" + FINAL.format(
            cached_path(url)
        )
        assert (len(server.requests), waits) == (1, [])
    with FickleServer(Answer(status=500), Answer(status=429), Answer(BODY)) as server:
        assert fetch(server.address).read_bytes() == BODY
    assert waits == [1.0, 3.0]


def test_a_closed_port_gets_a_sentence(waits: list[float]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/w"
        text = sentence(url)
    reason = os.strerror(errno.ECONNREFUSED)
    assert text == f"{url}: cannot download the weights: {reason}" + HAND.format(cached_path(url))
    assert waits == [1.0, 3.0, 9.0]


def test_an_address_that_only_looks_like_one_gets_a_sentence(waits: list[float]) -> None:
    url = "http://a..b/w"
    text = sentence(url)
    assert text.startswith(f"{url}: cannot download the weights: ") and text.endswith(FINAL.format(cached_path(url)))
    assert waits == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_with_the_range(status: int) -> None:
    with FickleServer(Answer(BODY, headers=ETAG, sent=5000), Answer(BODY, headers=ETAG)) as store:
        with FickleServer(Answer(status=status, headers={"Location": f"{store.address}/file"})) as server:
            assert fetch(f"{server.address}/w").read_bytes() == BODY
        assert store.paths == ["/file", "/file"]
        assert store.requests[1]["Range"] == "bytes=5000-"


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/w", "file:///etc/passwd"])
def test_redirects_to_other_protocols_are_refused(target: str, waits: list[float]) -> None:
    with FickleServer(Answer(status=302, headers={"Location": target})) as server:
        url = server.address
        text = sentence(url)
    assert text.startswith(f"{url}: cannot download the weights: HTTP status 302 (")
    assert target in text
    assert waits == []


def test_a_redirect_to_less_safety_is_refused() -> None:
    request, headers = Request("https://a/w"), Message()
    handler = transfer.SafeRedirects()
    with pytest.raises(HTTPError) as caught:
        handler.redirect_request(request, None, 302, "Found", headers, "http://a/w")
    with caught.value as error:
        assert error.reason == "redirects to http://a/w, which is not safe"
    assert handler.redirect_request(request, None, 308, "Gone", headers, "HTTPS://b/w").full_url == "HTTPS://b/w"


def test_an_endless_redirect_ends() -> None:
    with FickleServer(Answer(status=302, headers={"Location": "/w"})) as server:
        text = sentence(f"{server.address}/w")
    assert "HTTP status 302 (The HTTP server returned a redirect error" in text
    assert "\n" not in text


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with FickleServer(Answer(BODY)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.address)
        assert fetch("http://weights.invalid/w.pth").read_bytes() == BODY
        assert proxy.paths == ["http://weights.invalid/w.pth"]


def test_offline_uses_the_cache_and_else_says_where_to_put_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PPCLS_OFFLINE", "1")
    url = "https://weights.invalid/w.pth"
    assert sentence(url) == says(
        f"{url}: PPCLS_OFFLINE=1 ...; put the file at {cached_path(url)} by hand, or unset PPCLS_OFFLINE"
    )
    known = sentence(url, sha256_prefix=DIGEST[:8], size=10240)
    assert f"; put the file (10,240 bytes, SHA-256 begins with {DIGEST[:8]}) at {cached_path(url)} by hand" in known
    assert not cached_path(url).parent.exists()
    cached_path(url).parent.mkdir(parents=True)
    cached_path(url).write_bytes(BODY)
    assert fetch(url, sha256_prefix=DIGEST[:8]) == cached_path(url)
    assert names(url) == DONE
    monkeypatch.setenv("PPCLS_OFFLINE", "yes")
    assert sentence(url) == says("PPCLS_OFFLINE is 'yes'; set it to 1 ..., or to 0")


def test_a_file_put_there_by_hand_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://weights.invalid/w.pth"
    place = cached_path(url)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"wrong")
    found = hashlib.sha256(b"wrong").hexdigest()[:8]
    remedy = f"remove it, or put the weights of {url} there"
    assert sentence(url, sha256_prefix=DIGEST[:8]) == says(
        f"{place}: ... SHA-256 begins with {found}, but {DIGEST[:8]} is expected; {remedy}"
    )
    assert sentence(url, size=6) == f"{place}: the file has 5 bytes, but 6 are expected; {remedy}"
    assert names(url) == ["F"]
    place.write_bytes(BODY)
    assert fetch(url, sha256_prefix=DIGEST[:8]) == place
    read = hashed_files(monkeypatch)
    assert fetch(url, sha256_prefix=DIGEST) == place
    assert read == []
    assert "is expected" in sentence(url, sha256_prefix="00")  # the noted digest counts, whoever asks
    place.write_bytes(BODY * 2)
    assert "is expected" in sentence(url, sha256_prefix=DIGEST[:8])
    assert read == [place, place]


def test_a_full_disk_gets_a_sentence_and_keeps_the_part(monkeypatch: pytest.MonkeyPatch) -> None:
    with FickleServer(Answer(BODY, headers=ETAG)) as server:
        url = server.address
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", _full)
            assert sentence(url) == says(
                f"{cached_path(url).parent}: ... ({os.strerror(errno.ENOSPC)}); make room, ... or set PPCLS_HOME ..."
            )
        assert names(url) == ["F.part", "F.version"]
        assert fetch(url).read_bytes() == BODY


def _full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_cache_that_cannot_be_made_gets_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("PPCLS_HOME", str(tmp_path / "file"))
    assert sentence("http://127.0.0.1:1/w").startswith(
        f"{tmp_path / 'file' / 'weights'}: the weights cannot be kept there ({os.strerror(errno.ENOTDIR)}); make room"
    )


def test_no_home_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PPCLS_HOME", "~nobody-of-this-name/cache")
    text = says("no home folder ...; set PPCLS_HOME ...")
    assert sentence("http://127.0.0.1:1/w") == text


_PROCESS = """
import sys
from ppcls.utils import download, lock
from ppcls.utils.logging import setup_logging
setup_logging()
download.RETRY_WAITS_SECONDS, lock.POLL_SECONDS = (0.01,), 0.01
print(download.fetch(sys.argv[1]))
"""


def _process(code: str, argument: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(argument)]
    return subprocess.Popen(command, env=with_checkout(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_of_two_processes_one_downloads() -> None:
    with FickleServer(Answer(BODY, headers=ETAG, sent=5000, stalls=True), Answer(BODY, headers=ETAG)) as server:
        url = server.address
        with _process(_PROCESS, url) as first:
            assert server.asked.wait(60)
            with _process(_PROCESS, url) as second:
                assert second.stdout is not None
                line = second.stdout.readline()
                assert line.startswith(f"process {first.pid} is downloading {url} (")
                assert line.endswith("); waiting for it\n")
                server.released.set()
                assert second.communicate(timeout=60) == (f"{cached_path(url)}\n", "")
            lines, errors = first.communicate(timeout=60)
        assert [line.partition(" INFO: ")[2] or line for line in lines.splitlines()] == [
            f"downloading the weights: {url} to {cached_path(url)}",
            says(f"{url}: ... ended after 5,000 of 10,240 bytes; trying again in 0.01 s"),
            str(cached_path(url)),
        ]
        assert (errors, first.returncode, second.returncode) == ("", 0, 0)
        assert [request.get("Range") for request in server.requests] == [None, "bytes=5000-"]
    assert cached_path(url).read_bytes() == BODY


def test_who_waits_for_the_lock_finds_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    polled = threading.Event()
    monkeypatch.setattr(lock, "wait", lambda seconds: polled.set())
    with FickleServer(Answer(BODY)) as server:
        url = server.address
        cached_path(url).parent.mkdir(parents=True)
        found: list[Path] = []
        with lock.locked(files.beside(cached_path(url), "lock"), "tests"):
            waiting = threading.Thread(target=lambda: found.append(fetch(url)))
            waiting.start()
            assert polled.wait(10)
            cached_path(url).write_bytes(b"brought by the other")
        waiting.join(10)
        assert found == [cached_path(url)]
        assert server.requests == []


_DIES_WITH_THE_LOCK = """
import os, sys
from pathlib import Path
from ppcls.utils.lock import locked
with locked(Path(sys.argv[1]), "dies"):
    os._exit(9)
"""


def test_the_lock_of_a_dead_process_does_not_block() -> None:
    with FickleServer(Answer(BODY)) as server:
        url = server.address
        path = files.beside(cached_path(url), "lock")
        path.parent.mkdir(parents=True)
        with _process(_DIES_WITH_THE_LOCK, path) as process:
            assert process.communicate(timeout=60) == ("", "")
        assert process.returncode == 9
        assert path.is_file()
        assert fetch(url).read_bytes() == BODY


@pytest.mark.parametrize("length", [None, -1])
def test_an_empty_body_is_not_a_file(length: int | None) -> None:
    with FickleServer(Answer(b"", length=length)) as server:
        url = server.address
        assert f"{url}: cannot download the weights: the file is empty; " in sentence(url)
    assert names(url) == []


def test_an_answer_without_content_is_asked_for_again(waits: list[float]) -> None:
    with FickleServer(Answer(status=204, headers=ETAG), Answer(status=202), Answer(BODY)) as server:
        assert fetch(server.address).read_bytes() == BODY
    assert waits == [1.0, 3.0]


def test_an_empty_file_in_the_cache_is_refused() -> None:
    url = "https://weights.invalid/w.pth"
    cached_path(url).parent.mkdir(parents=True)
    cached_path(url).touch()
    assert sentence(url).startswith(f"{cached_path(url)}: the file is empty; remove it, or put the weights of {url}")


@pytest.mark.parametrize(
    ("size", "sent"), [(None, BODY), (10_000, BODY), (None, BODY * 3), (10_240, BODY[:5000] + BODY)]
)
def test_a_body_without_a_length_has_a_limit(
    size: int | None, sent: bytes, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    limit = size or 10_239
    monkeypatch.setattr(download, "MOST_BYTES", 10_239)
    with FickleServer(Answer(sent, length=-1, headers=ETAG)) as server:
        url = server.address
        assert f": the server sends more than the limit of {limit:,} bytes" in sentence(url, size=size)
    assert (names(url), waits) == ([], [])
    with FickleServer(Answer(BODY[:10_239], length=-1)) as server:
        assert len(fetch(server.address).read_bytes()) == 10_239


def test_a_stated_length_above_the_limit_is_refused_before_it_is_loaded(waits: list[float]) -> None:
    with FickleServer(Answer(BODY, length=(4 << 30) + 1)) as server:
        url = server.address
        assert "4,294,967,297 bytes, more than the limit of 4,294,967,296; put" in sentence(url)
    assert (names(url), waits) == ([], [])


@pytest.mark.parametrize("kind", ["part", "version", "sha256"])
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_planted_link_is_not_followed(kind: str, link: Any, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(BODY[:5000])
    with FickleServer(Answer(BODY, headers=ETAG, sent=5000), Answer(status=503), Answer(BODY, headers=ETAG)) as server:
        url = server.address
        cached_path(url).parent.mkdir(parents=True)
        link(victim, cached_path(url).with_name(f".{cached_path(url).name}.{kind}"))
        own(url, kind).parent.mkdir()
        link(victim, own(url, kind))
        if kind == "part":
            own(url, "version").write_text('"one"')
        while True:
            try:
                path = fetch(url)
                break
            except UserError as error:
                assert "HTTP status 503" in str(error)
                server.answers[:] = [Answer(BODY, headers=ETAG)]
        assert path.read_bytes() == BODY
        assert not path.is_symlink()
    assert victim.read_bytes() == BODY[:5000]


def test_a_planted_lock_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    with FickleServer(Answer(BODY)) as server:
        place = cached_path(server.address)
        planted = files.beside(place, "lock")
        place.parent.mkdir(parents=True)
        for link in (os.symlink, os.link):
            link(victim, planted)
            assert sentence(server.address).startswith(f"{planted} is a link, or not a file")
            planted.unlink()
        assert fetch(server.address).read_bytes() == BODY
    assert victim.read_bytes() == b"precious"


def test_a_folder_of_its_own_is_private_or_refused(tmp_path: Path) -> None:
    with FickleServer(Answer(BODY)) as server:
        url = server.address
        folder = own(url, "part").parent
        folder.parent.mkdir(parents=True)
        (tmp_path / "elsewhere").mkdir()
        for make in (folder.touch, lambda: folder.symlink_to(tmp_path / "elsewhere")):
            make()
            assert sentence(url).startswith(f"{folder} is a link, a file, or another user's folder; remove it")
            folder.unlink()
        fetch(url)
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_folder_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://127.0.0.1:1/w"
    folder = own(url, "part").parent
    folder.mkdir(parents=True)
    real = os.fstat

    def by_another_user(descriptor: int) -> Any:
        return os.stat_result((*real(descriptor)[:4], 4711, *real(descriptor)[5:]))

    monkeypatch.setattr(os, "fstat", by_another_user)
    assert sentence(url).startswith(f"{folder} is a link, a file, or another user's folder; remove it")


def test_a_changed_file_of_equal_size_and_time_is_found(caplog: pytest.LogCaptureFixture) -> None:
    with FickleServer(Answer(BODY)) as server:
        url = server.address
        place = fetch(url, sha256_prefix=DIGEST[:8])
    before = place.stat()
    place.write_bytes(BODY[::-1])
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (place.stat().st_size, place.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert f", but {DIGEST[:8]} is expected; remove it" in sentence(url, sha256_prefix=DIGEST[:8])
    assert fetch(url) == place
    assert fetch(url) == place
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [f"{place} has other content than when it was checked before"]


@pytest.mark.parametrize("note", [b"", b"\xff\xfe", b"x" * 5000, b"00 1 2 3 4"])
def test_a_damaged_note_is_not_believed(note: bytes) -> None:
    with FickleServer(Answer(BODY)) as server:
        url = server.address
        place = fetch(url, sha256_prefix=DIGEST)
    whole = own(url, "sha256").read_bytes()
    state = whole.partition(b" ")[2]
    for content in (note, b"00" * 32 + b" " + state):
        own(url, "sha256").write_bytes(content)
        assert fetch(url, sha256_prefix=DIGEST) == place
        assert own(url, "sha256").read_bytes() == whole


class Dripping(io.RawIOBase):
    """A connection that gives blocks of 1,000 bytes."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks

    def readinto(self, buffer: Any) -> int:
        self.blocks -= 1
        return 1000 if self.blocks >= 0 else 0


@pytest.mark.parametrize(("seconds_per_block", "sent"), [(1.02, 58), (0.99, 200)])
def test_a_server_that_hardly_sends_is_given_up(
    seconds_per_block: float, sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In 60 s the first sends 59 blocks, less than 60,000 bytes; the second sends 61 of them."""
    times = itertools.count()
    monkeypatch.setattr(paced_http, "clock", lambda: 0.0)
    file = paced_http._Paced(Dripping(200))
    received = 0
    try:
        for seconds in times:
            monkeypatch.setattr(paced_http, "clock", lambda: (seconds + 1) * seconds_per_block)  # noqa: B023
            if not file.readinto(bytearray(1000)):
                break
            received += 1
    except paced_http.TooSlow as error:
        assert str(error) == "the server sent only 59,000 bytes in 60 s"
    assert received == sent


def test_a_server_that_becomes_slow_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """120 blocks in the first 60 s, then one in 2 s."""
    now = 0.0
    monkeypatch.setattr(paced_http, "clock", lambda: now)
    file = paced_http._Paced(Dripping(1000))
    with pytest.raises(paced_http.TooSlow, match=r"^the server sent only 30,000 bytes in 60 s$"):
        for block in range(1, 1000):
            now += 0.5 if block <= 120 else 2.0
            file.readinto(bytearray(1000))
    assert now == 120.0


def test_a_slow_server_is_asked_again_for_the_rest(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    with FickleServer(Answer(BODY, headers=ETAG, sent=5000, stalls=True), Answer(BODY, headers=ETAG)) as server:
        monkeypatch.setattr(transfer, "TIMEOUT_SECONDS", 0.2)
        assert fetch(server.address).read_bytes() == BODY
        assert [request.get("Range") for request in server.requests] == [None, "bytes=5000-"]


@pytest.mark.parametrize("length", [None, -1])
def test_slow_headers_are_not_waited_for(
    length: int | None, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    monkeypatch.setattr(paced_http, "SPAN_SECONDS", 0.0)
    with FickleServer(Answer(BODY, length=length)) as server:
        assert ": the server sent only " in sentence(server.address)
    assert waits == [1.0, 3.0, 9.0]


def test_an_answer_without_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paced_http, "MOST_BYTES", 1000)
    with FickleServer(Answer(BODY)) as server:
        assert ": the server sent more than 1,000 bytes; try again" in sentence(server.address)


def test_a_redirects_body_is_not_read() -> None:
    with FickleServer(Answer(BODY)) as store:
        location = {"Location": f"{store.address}/file"}
        with FickleServer(Answer(bytes(100), length=1 << 40, status=302, headers=location, stalls=True)) as server:
            assert fetch(server.address).read_bytes() == BODY


@pytest.mark.parametrize("shown", [True, False])
def test_the_bar_is_for_terminals(
    shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: shown, raising=False)
    with FickleServer(Answer(BODY)) as server:
        fetch(server.address, what="weights of DLA34")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("weights of DLA34: 100%" in captured.err and "10.0k/10.0k" in captured.err) == shown
    assert bool(captured.err) == shown
