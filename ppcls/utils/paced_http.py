"""HTTP connections that a server cannot keep open for ever, neither by sending slowly nor by sending without end."""

from __future__ import annotations

import functools
import io
import time
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.request import HTTPHandler, HTTPSHandler

# A server that sends less than this in a span is given up
SPAN_SECONDS = 60.0
SPAN_BYTES = 60_000
# All bytes of an answer: status lines, headers and trailers can be repeated without end
MOST_BYTES = 8 << 30
clock = time.monotonic  # replaced in tests


class TooSlow(OSError):
    """The server sends too slowly, or too much."""


class PacedHandler(HTTPHandler):
    """Opens http addresses.

    Args:
        deadline: When `clock` passes it, reading ends; None sets no such limit.
    """

    def __init__(self, deadline: float | None = None) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: Any) -> HTTPResponse:
        """Send a request and return the answer."""
        return self.do_open(
            functools.partial(_Connection, deadline=self._deadline), req
        )


class PacedSecureHandler(HTTPSHandler):
    """Opens https addresses; `deadline` is that of `PacedHandler`."""

    def __init__(self, deadline: float | None = None) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: Any) -> HTTPResponse:
        """Send a request and return the answer."""
        return self.do_open(
            functools.partial(_SecureConnection, deadline=self._deadline), req
        )


class _Paced(io.RawIOBase):
    """The bytes of a connection.

    Args:
        raw: The connection, as its socket gives it.
        deadline: When reading ends, by `clock`.
    """

    def __init__(self, raw: io.RawIOBase, deadline: float | None = None) -> None:
        self._raw = raw
        self._deadline = deadline
        self._total = 0
        self._span_start = clock()
        self._span_bytes = 0

    def readable(self) -> bool:
        """Return True: it can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what has arrived.

        Raises:
            TooSlow: The server has sent too little in a span, or too much altogether.
        """
        size = self._raw.readinto(buffer)
        if not size:
            return size
        self._total += size
        self._span_bytes += size
        if self._total > MOST_BYTES:
            raise TooSlow(f"the server sent more than {MOST_BYTES:,} bytes")
        if self._deadline is not None and clock() > self._deadline:
            raise TooSlow("the server takes too long")
        if clock() - self._span_start >= SPAN_SECONDS:
            self._end_span()
        return size

    def _end_span(self) -> None:
        if self._span_bytes < SPAN_BYTES:
            raise TooSlow(
                f"the server sent only {self._span_bytes:,} bytes in {SPAN_SECONDS:g} s"
            )
        self._span_start = clock()
        self._span_bytes = 0

    def close(self) -> None:
        """Close the connection."""
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, deadline: float | None, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.fp: Any = io.BufferedReader(_Paced(self.fp.detach(), deadline))


class _Connection(HTTPConnection):
    def __init__(self, *args: Any, deadline: float | None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.response_class: Any = functools.partial(_Response, deadline)


class _SecureConnection(HTTPSConnection):
    def __init__(self, *args: Any, deadline: float | None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.response_class: Any = functools.partial(_Response, deadline)
