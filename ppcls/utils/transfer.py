"""One HTTP request for a file, or for what is missing of one that has come in part."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from tqdm import tqdm

TIMEOUT_SECONDS = 30.0  # to connect, and between two pieces of the answer

_BLOCK_BYTES = 1 << 16
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)", re.ASCII)
_PASSING_STATUS = (408, 425, 429, 500, 502, 503, 504)
_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml")


def is_web_page(beginning: bytes) -> bool:
    """Whether a file that begins so is a web page, as a login or a filter sends it in place of a download."""
    return beginning[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES)


class Interrupted(Exception):
    """Trouble that may pass."""


class Failed(Exception):
    """Trouble that another request would meet as well."""


@dataclass(frozen=True)
class Transfer:
    """A file on its way.

    Attributes:
        url: http or https.
        part: Where its bytes go; what is there already is not asked for again.
        version: Where the version of these bytes is noted, as the server names it.
        size_fault: What is wrong with the whole file's number of bytes, as part of a sentence; empty if nothing is.
        label: What the progress bar shows.
    """

    url: str
    part: Path
    version: Path
    size_fault: Callable[[int], str]
    label: str

    def request(self) -> None:
        """Asks once for what is missing; afterwards the part is the whole file.

        Raises:
            Interrupted: it may come the next time.
            Failed: it will not.
            OSError: the disk is full, and the like.
        """
        version = self.version.read_text() if self.version.is_file() else ""
        have = self.part.stat().st_size if version and self.part.is_file() else 0
        headers = {
            "User-Agent": "ppcls",
            **({"Range": f"bytes={have}-", "If-Range": version} if have else {}),
        }
        try:
            answer = build_opener(SafeRedirects).open(
                Request(self.url, headers=headers), timeout=TIMEOUT_SECONDS
            )
        except HTTPError as error:
            with error:
                self._judge(error, have)
            return
        except (OSError, HTTPException) as error:
            raise Interrupted(_reason(error)) from error
        # Of an address, given or redirected to, that only looks like one
        except ValueError as error:
            raise Failed(str(error)) from error
        with answer:
            start, total = _extent(answer)
            if answer.status == 206 and (
                start != have or _version(answer) not in ("", version)
            ):
                self._begin_anew("the server sent the rest of another file")
            self._receive(answer, start, total)

    def discard(self) -> None:
        """Forgets what has come."""
        for path in (self.part, self.version):
            path.unlink(missing_ok=True)

    def _judge(self, error: HTTPError, have: int) -> None:
        """Returns if the part was the whole file, raises for any other status."""
        reason = f"HTTP status {error.code} ({' '.join(str(error.reason).split())})"
        if error.code == 416 and have:
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return
            self._begin_anew(reason)
        raise (Interrupted if error.code in _PASSING_STATUS else Failed)(reason)

    def _begin_anew(self, reason: str) -> NoReturn:
        self.discard()
        raise Interrupted(reason)

    def _receive(self, answer: Any, start: int, total: int | None) -> None:
        """Writes the answer's body behind the first `start` bytes of the part."""
        blocks = _blocks(answer)
        first = next(blocks, b"")
        if answer.headers.get_content_type() == "text/html" or (
            not start and is_web_page(first)
        ):
            raise Failed("the answer is a web page, as a login or a filter sends it")
        fault = "" if total is None else self.size_fault(total)
        if fault:
            self.discard()
            raise Failed(fault)
        with self.part.open("ab" if start else "wb") as file, tqdm(
            total=total, initial=start, desc=self.label, unit="B", unit_scale=True, unit_divisor=1024,
            disable=None,  # on a terminal alone
        ) as bar:  # fmt: skip
            if not start:
                self.version.write_text(_version(answer))
            for block in chain([first], blocks):
                file.write(block)
                bar.update(len(block))
            file.flush()
            os.fsync(file.fileno())
            have = file.tell()
        if total is not None and have < total:
            raise Interrupted(f"the connection ended after {have:,} of {total:,} bytes")


class SafeRedirects(HTTPRedirectHandler):
    """Follows redirects, but never from https to http nor to another protocol."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        """The request to follow, or an HTTPError."""
        if urlsplit(newurl).scheme not in ("https", req.type):
            raise HTTPError(
                req.full_url,
                code,
                f"redirects to {newurl}, which is not safe",
                headers,
                fp,
            )
        return super().redirect_request(
            req, fp, 307 if code == 308 else code, msg, headers, newurl
        )

    # Python before 3.11 does not know it
    http_error_308 = HTTPRedirectHandler.http_error_302


def _extent(answer: Any) -> tuple[int, int | None]:
    """Offset of the answer's first byte in the file (-1: not stated), and the whole file's bytes where stated."""
    if answer.status != 206:
        return 0, answer.length
    stated = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if stated is None:
        return -1, None
    return int(stated[1]), None if stated[2] == "*" else int(stated[2])


def _version(answer: Any) -> str:
    """What names this version of the file in `If-Range`; a weak ETag cannot."""
    etag = answer.headers.get("ETag", "")
    return (
        etag
        if etag and not etag.startswith("W/")
        else answer.headers.get("Last-Modified", "")
    )


def _blocks(answer: Any) -> Iterator[bytes]:
    try:
        while block := answer.read(_BLOCK_BYTES):
            yield block
    except (OSError, HTTPException) as error:
        raise Interrupted(_reason(error)) from error


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", error)  # of urllib's URLError
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
