"""Bodies of HTTP requests: read whole, within bounds of size and time, before anything works on them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ppcls.serving.options import Limits
from ppcls.serving.refusals import BadRequest, Busy, DeadlinePassed, TooLarge

Receive = Callable[[], Awaitable[Any]]
_BODIES_IN_MEMORY = 16  # of the largest size
_MOST_DISCARDED = 10  # times the largest size


class ClientGone(Exception):
    """The client has closed the connection."""


class Bodies:
    """Reads bodies, and bounds the memory of all of them together.

    Args:
        limits: Bounds on one body.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    async def read(self, receive: Receive, headers: Mapping[str, str]) -> bytes:
        """The body of a request. `free` is called with its length when it is of no more use.

        Args:
            receive: The function of ASGI.
            headers: The headers; their names are in lower case.

        Raises:
            Refusal: The body is too large or too slow, or too many are in memory.
            ClientGone: The client has closed the connection.
        """
        stated = headers.get("content-length", "0")
        is_large = stated.isdigit() and int(stated) > self._limits.body_bytes
        if is_large and headers.get("expect", "").lower() == "100-continue":
            raise self._too_large()
        try:
            reading = self._discard if is_large else self._read
            return await asyncio.wait_for(reading(receive), self._limits.body_seconds)
        except (asyncio.TimeoutError, TimeoutError) as error:
            if is_large:
                raise self._too_large() from error
            raise DeadlinePassed(
                f"the request did not arrive within {self._limits.body_seconds:g} s; send it faster, or send a "
                "smaller picture"
            ) from error

    def free(self, body: bytes) -> None:
        """Count a body as gone."""
        self._held -= len(body)

    async def _read(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        size = 0
        try:
            while True:
                chunk, more = await _next(receive)
                size += len(chunk)
                self._held += len(chunk)
                chunks.append(chunk)
                if size > self._limits.body_bytes:
                    await self._discard(receive)
                if self._held > _BODIES_IN_MEMORY * self._limits.body_bytes:
                    raise Busy(
                        "the server holds as many large requests as it can; try again later"
                    )
                if not more:
                    break
        except BaseException:
            self._held -= size
            raise
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _discard(self, receive: Receive) -> bytes:
        """Receive the rest of a body that is too large, since clients read no answer before they have sent theirs."""
        size = 0
        more = True
        while more and size < _MOST_DISCARDED * self._limits.body_bytes:
            chunk, more = await _next(receive)
            size += len(chunk)
        raise self._too_large()

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"the request has more than {self._limits.body_bytes:,} bytes, which this server takes at most; send a "
            "smaller picture"
        )


async def _next(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    if message["type"] != "http.request":
        raise BadRequest("the request is not one of HTTP")
    return message.get("body", b""), message.get("more_body", False)
