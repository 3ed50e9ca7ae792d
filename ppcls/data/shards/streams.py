"""Opens what an address names: a file, an http address, or the output of the user's own command.

No value that comes from a file or a server reaches a shell. Files and http addresses are opened here, without a
program. `pipe:` commands are what the user has written, and a manifest cannot be behind one (`manifest.py`). Other
addresses (`gs://`, `hf://`, ...) are opened by webdataset, which from version 1.0 on passes them to programs as an
argument, not through a shell; older versions are refused.
"""

from __future__ import annotations

import importlib.metadata
import io
from collections.abc import Callable
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener

from ppcls.utils import download
from ppcls.utils.errors import UserError, expect, translated
from ppcls.utils.files import open_regular_file
from ppcls.utils.transfer import TIMEOUT_SECONDS, SafeRedirects

OLDEST_WEBDATASET = (1, 0)
_INSTALL = "pip install 'webdataset>=1.0'"
_PASSING_STATUS = (408, 425, 429, 500, 502, 503, 504)
# Exit codes of curl, a shell and a command whose reader has gone
_LEFT_EARLY = (0, 23, 141, -13)

DAMAGE = (OSError, HTTPException, ValueError)
"""What opening or reading a stream raises."""


def webdataset_tools() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The functions gopen of webdataset, and braceexpand.

    Raises:
        UserError: The package is not installed, or too old.
    """
    with translated(
        ImportError,
        lambda error: UserError(
            f"shards are read by the package webdataset, which is missing here ({error}); install it: {_INSTALL}"
        ),
    ):
        from braceexpand import braceexpand
        from webdataset.gopen import gopen
    installed = importlib.metadata.version("webdataset")
    numbers = [part for part in installed.split(".")[:2] if part.isdigit()]
    expect(
        tuple(map(int, numbers)) >= OLDEST_WEBDATASET,
        f"webdataset {installed} is installed, which passes addresses through a shell; install a newer one: "
        f"{_INSTALL}",
    )
    return gopen, braceexpand


def is_local(address: str) -> bool:
    """Whether an address is the path of a file."""
    return "://" not in address and not address.startswith(("pipe:", "file:"))


def is_command(address: str) -> bool:
    """Whether an address is a command that a shell runs."""
    return address.startswith("pipe:")


def open_stream(address: str) -> Any:
    """Open an address for reading, from front to back: an object with `read` and `close`.

    Raises:
        UserError: webdataset is needed, and missing or too old.
        Exception: One of `DAMAGE`.
    """
    if is_local(address):
        return open_regular_file(address)
    scheme = address.partition(":")[0].strip().lower()
    if scheme == "file":
        return open_regular_file(urlsplit(address).path)
    if scheme in ("http", "https"):
        return _open_http(address)
    if scheme == "pipe" and not is_command(address):
        raise ValueError("a command is written `pipe:`, without a blank before it")
    gopen = webdataset_tools()[0]
    try:
        return gopen(address)
    except ImportError as error:
        raise UserError(
            f"{address}: cannot be opened without the package {error.name}; run `pip install {error.name}`"
        ) from error


def failure_of(stream: Any) -> str:
    """Why a stream of a command ended early, and the remedy; empty where it did not fail."""
    process = getattr(stream, "proc", None)
    if process is None:
        return ""
    code = process.wait()
    if code in _LEFT_EARLY:
        return ""
    return f"the command that fetches it ended with code {code}; run it by itself to see why"


def reason_of(error: Exception) -> str:
    """What an error of opening or reading says; empty if it says nothing of the address."""
    if isinstance(error, HTTPError):
        return f"the server answered {error.code} ({_one_line(error.reason)})"
    if isinstance(error, URLError) and isinstance(error.reason, OSError):
        error = error.reason
    if isinstance(error, TimeoutError):
        return "the server does not answer"
    strerror = getattr(error, "strerror", None)
    if strerror:
        return str(strerror)
    if isinstance(error, (ConnectionError, HTTPException)):
        return _one_line(error) or type(error).__name__
    return ""


def _one_line(text: object) -> str:
    return " ".join(str(text).split())


def _open_http(address: str) -> io.RawIOBase:
    for seconds in (*download.RETRY_WAITS_SECONDS, None):
        try:
            return _HttpBody(address)
        except HTTPError as error:
            error.close()
            if error.code not in _PASSING_STATUS or seconds is None:
                raise
        except OSError:
            if seconds is None:
                raise
        download.wait(seconds)
    raise AssertionError  # the last attempt returns or raises


class _HttpBody(io.RawIOBase):
    """The body of an http address. Without a program there is nothing that an address could be a command for."""

    def __init__(self, address: str) -> None:
        request = Request(address, headers={"User-Agent": "ppcls"})
        opener = build_opener(SafeRedirects)
        self._answer = opener.open(request, timeout=TIMEOUT_SECONDS)
        self._missing = self._answer.length  # None where the server does not state it

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._answer.readinto(buffer)
        if self._missing is None:
            return count
        self._missing -= count
        if not count and self._missing and len(buffer):
            raise ConnectionError("the connection ended early")
        return count

    def close(self) -> None:
        if not self.closed:
            self._answer.close()
        super().close()
