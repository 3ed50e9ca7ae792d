"""The bytes of an http or https address in memory, for what is small and is not kept."""

from __future__ import annotations

import io
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import OpenerDirector, Request, build_opener

from ppcls.utils import paced_http
from ppcls.utils.download import is_offline
from ppcls.utils.paced_http import PacedHandler, PacedSecureHandler
from ppcls.utils.transfer import SafeRedirects, is_web_page, readable, reason_of

MOST_BYTES = 64 << 20
MOST_SECONDS = 30.0
_CONNECT_SECONDS = 10.0  # and between two pieces of the answer
_BLOCK_BYTES = 1 << 16
# What an address may have besides letters and digits; a browser encodes everything else, too
_SAFE = "%/:=&?~#+!$,;'@()*[]"


class NotLoaded(Exception):
    """The bytes cannot be had; the text says why, as part of a sentence."""


def load(url: str) -> bytes:
    """Return the bytes of an http or https address: at most 64 MiB, in at most 30 seconds.

    A redirect may lead to https or to the same protocol only.

    Raises:
        NotLoaded: The network is forbidden, or the server does not answer, not well, too slowly or with too much.
    """
    if is_offline():
        raise NotLoaded("PPCLS_OFFLINE=1 forbids downloading it")
    deadline = paced_http.clock() + MOST_SECONDS
    handlers = (PacedHandler(deadline), PacedSecureHandler(deadline), SafeRedirects)
    opener = build_opener(*handlers)
    try:
        return _content(opener, url)
    except HTTPError as error:
        error.close()
        raise NotLoaded(
            f"HTTP status {error.code} ({readable(str(error.reason))})"
        ) from error
    except (OSError, HTTPException, ValueError) as error:
        raise NotLoaded(reason_of(error)) from error


def _content(opener: OpenerDirector, url: str) -> bytes:
    request = Request(quote(url, safe=_SAFE), headers={"User-Agent": "ppcls"})
    with opener.open(request, timeout=_CONNECT_SECONDS) as answer:
        _check_size(answer.length or 0)
        content = _whole(answer)
    if not content:
        raise NotLoaded("the answer is empty")
    if is_web_page(content):
        raise NotLoaded("the answer is a web page")
    return content


def _whole(answer: Any) -> bytes:
    """Read an answer to its end."""
    content = io.BytesIO()
    while block := answer.read1(_BLOCK_BYTES):
        content.write(block)
        _check_size(content.tell())
    if answer.length:
        raise NotLoaded(f"the connection ended {answer.length:,} bytes too early")
    return content.getvalue()


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise NotLoaded(f"it has more than {MOST_BYTES:,} bytes")
