"""One HTTP request for a file, or for the rest of one that has come in part."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NoReturn
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from tqdm import tqdm

from ppcls.utils.errors import translated
from ppcls.utils.paced_http import PacedHandler, PacedSecureHandler
from ppcls.utils.private_files import append, create, read_note, size_of

TIMEOUT_SECONDS = 30.0  # to connect, and between two pieces of the answer

_BLOCK_BYTES = 1 << 16
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})", re.ASCII)
_ETAG = re.compile(r'"[!#-~]{0,200}"')
_DATE = re.compile(r"[A-Za-z0-9:, +-]{1,100}")
_LONGEST_REASON = 200  # characters of what a server writes, in a message
_TEMPORARY_STATUS = (202, 408, 425, 429, 500, 502, 503, 504)
_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml")


def is_web_page(beginning: bytes) -> bool:
    """Whether a file that begins so is a web page, which a login or a filter sends in place of a download."""
    return beginning[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES)


class Interrupted(Exception):
    """A problem that may be gone with the next request."""


class Failed(Exception):
    """A problem that another request would meet as well."""


@dataclass(frozen=True)
class Transfer:
    """A file that is being downloaded.

    Attributes:
        url: An http or https address.
        part: The file that gets the bytes. What it already has is not requested again. Nobody else can write to its
            folder, see `private_files`.
        most_bytes: The largest number of bytes that are accepted.
        size_fault: Returns what is wrong with the whole file's number of bytes, as part of a sentence; empty if
            nothing is.
        label: The title of the progress bar.
    """

    url: str
    part: Path
    most_bytes: int
    size_fault: Callable[[int], str]
    label: str

    @property
    def version(self) -> Path:
        """The file with the server's name for the version of these bytes."""
        return self.part.with_suffix(".version")

    def request(self) -> None:
        """Request what is missing, once; afterwards the part is the whole file.

        Raises:
            Interrupted: The next request may succeed.
            Failed: It will not.
            OSError: The part cannot be written, for instance because the disk is full.
        """
        version = read_note(self.version)
        have = size_of(self.part) if version else 0
        headers = {"User-Agent": "ppcls"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": version}
        try:
            opener = build_opener(PacedHandler, PacedSecureHandler, SafeRedirects)
            request = Request(self.url, headers=headers)
            answer = opener.open(request, timeout=TIMEOUT_SECONDS)
        except HTTPError as error:
            with error:
                self._judge(error, have)
            return
        except (OSError, HTTPException) as error:
            raise Interrupted(reason_of(error)) from error
        except ValueError as error:  # raised for an address that is not valid
            raise Failed(readable(str(error))) from error
        with answer:
            start, total = self._extent(answer, have, version)
            self._receive(answer, start, total)

    def discard(self) -> None:
        """Delete what has come."""
        for path in (self.part, self.version):
            path.unlink(missing_ok=True)

    def _judge(self, error: HTTPError, have: int) -> None:
        """Return if the part was the whole file already; raise for any other status."""
        reason = f"HTTP status {error.code} ({readable(str(error.reason))})"
        if error.code == 416 and have:
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return
            self._begin_again(reason)
        if error.code in _TEMPORARY_STATUS:
            raise Interrupted(reason)
        raise Failed(reason)

    def _begin_again(self, reason: str) -> NoReturn:
        self.discard()
        raise Interrupted(reason)

    def _extent(self, answer: Any, have: int, version: str) -> tuple[int, int | None]:
        """Return the offset of the answer's first byte, and the whole file's size if the server states it."""
        if answer.status == 200:
            return 0, answer.length
        if answer.status != 206:
            reason = f"HTTP status {answer.status} ({readable(str(answer.reason))})"
            raise Interrupted(reason)
        stated = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        is_same_version = _version(answer) in ("", version)
        if stated is None or int(stated[1]) != have or not is_same_version:
            self._begin_again("the server sent the rest of another file")
        return have, int(stated[2])

    def _receive(self, answer: Any, start: int, total: int | None) -> None:
        """Write the body behind the first `start` bytes of the part."""
        blocks = _blocks(answer)
        first = next(blocks, b"")
        begins_as_page = not start and is_web_page(first)
        if begins_as_page or answer.headers.get_content_type() == "text/html":
            raise Failed("the answer is a web page, as a login or a filter sends it")
        fault = "" if total is None else self.size_fault(total)
        if fault:
            self.discard()
            raise Failed(fault)
        part = append(self.part) if start else create(self.part)
        with part as file, self._bar(start, total) as bar:
            if not start:
                self._note_version(answer)
            have = start + self._write(file, bar, chain([first], blocks), start)
        self._check_count(have, total)

    def _write(
        self, file: BinaryIO, bar: Any, blocks: Iterable[bytes], have: int
    ) -> int:
        """Write what comes behind the first `have` bytes, up to the limit, and return how much came."""
        count = 0
        for block in blocks:
            count += len(block)
            if have + count > self.most_bytes:
                break
            file.write(block)
            bar.update(len(block))
        file.flush()
        os.fsync(file.fileno())
        return count

    def _check_count(self, have: int, total: int | None) -> None:
        """Check the number of bytes that have come."""
        if have > self.most_bytes:
            self.discard()
            raise Failed(
                f"the server sends more than the limit of {self.most_bytes:,} bytes"
            )
        if total is not None and have < total:
            raise Interrupted(f"the connection ended after {have:,} of {total:,} bytes")

    def _note_version(self, answer: Any) -> None:
        """Write down the server's name for the version, after the part of another version is gone."""
        with create(self.version) as note:
            note.write(_version(answer).encode())

    def _bar(self, start: int, total: int | None) -> Any:
        """Return the progress bar."""
        return tqdm(
            total=total,
            initial=start,
            desc=self.label,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            disable=None,  # shown on a terminal only
        )


class SafeRedirects(HTTPRedirectHandler):
    """Follows redirects, but never from https to http nor to another protocol."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        """Return the request to follow, or raise an HTTPError."""
        if urlsplit(newurl).scheme not in ("https", req.type):
            reason = f"redirects to {newurl}, which is not safe"
            raise HTTPError(req.full_url, code, reason, headers, fp)
        if code == 308:  # unknown before Python 3.11
            code = 307
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_302(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any
    ) -> Any:
        """Follow a redirect without its body, of which urllib would read any amount into memory."""
        fp.close()
        return super().http_error_302(req, io.BytesIO(), code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _version(answer: Any) -> str:
    """Return what identifies this version of the file in `If-Range`, which a weak ETag does not; empty if nothing."""
    etag = answer.headers.get("ETag", "")
    if _ETAG.fullmatch(etag):
        return etag
    date = answer.headers.get("Last-Modified", "")
    return date if _DATE.fullmatch(date) else ""


def _blocks(answer: Any) -> Iterator[bytes]:
    """Yield the body in pieces as they come."""
    with translated(
        (OSError, HTTPException), lambda error: Interrupted(reason_of(error))
    ):
        while block := answer.read1(_BLOCK_BYTES):
            yield block


def reason_of(error: Exception) -> str:
    """Return why a request failed, as a short part of one line."""
    cause = getattr(error, "reason", error)  # of urllib's URLError
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return readable(text)


def readable(text: str) -> str:
    """Return what a server wrote as a short part of one line."""
    line = " ".join(text.split())
    line = "".join(sign if sign.isprintable() else "?" for sign in line)
    if len(line) > _LONGEST_REASON:
        return line[:_LONGEST_REASON] + "..."
    return line
