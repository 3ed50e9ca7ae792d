"""Bodies of HTTP requests, as ASGI brings them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ppcls.serving.bodies import Bodies, ClientGone
from ppcls.serving.options import Limits
from ppcls.serving.refusals import Busy, DeadlinePassed, Refusal, TooLarge

GONE = {"type": "http.disconnect"}


def parts(*chunks: bytes) -> list[dict[str, Any]]:
    last = len(chunks) - 1
    return [{"type": "http.request", "body": chunk, "more_body": place < last} for place, chunk in enumerate(chunks)]


def read(messages: list[dict[str, Any]], bodies: Bodies | None = None, **headers: str) -> bytes:
    """What is read of messages; behind the last one nothing comes."""
    bodies = bodies or Bodies(Limits(body_bytes=10, body_seconds=0.05))

    async def run() -> bytes:
        async def receive() -> Any:
            if messages:
                return messages.pop(0)
            return await asyncio.get_running_loop().create_future()

        return await bodies.read(receive, {name.replace("_", "-"): value for name, value in headers.items()})

    return asyncio.run(run())


def test_chunks_are_joined() -> None:
    assert read(parts(b"")) == b""
    assert read(parts(b"one")) == b"one"
    assert read(parts(b"one", b"", b"two", b"four")) == b"onetwofour"


@pytest.mark.parametrize("headers", [{}, {"content_length": "12"}])
def test_a_body_that_is_too_large_is_refused_once_it_was_sent(headers: dict[str, str]) -> None:
    messages = parts(b"123456", b"7890", b"12", b"3")
    with pytest.raises(TooLarge, match="more than 10 bytes"):
        read(messages, **headers)
    assert messages == []


def test_what_a_client_announces_with_expect_is_refused_at_once() -> None:
    messages = parts(b"1" * 11)
    with pytest.raises(TooLarge):
        read(messages, content_length="11", expect="100-continue")
    assert len(messages) == 1


def test_an_endless_body_is_cut_off() -> None:
    messages = [{"type": "http.request", "body": b"1" * 10, "more_body": True} for _ in range(100)]
    with pytest.raises(TooLarge):
        read(messages)
    assert len(messages) > 80


def test_a_slow_sender_is_refused() -> None:
    with pytest.raises(DeadlinePassed, match=r"did not arrive within 0\.05 s"):
        read(parts(b"one", b"two")[:1])


def test_a_client_that_leaves_is_no_refusal() -> None:
    with pytest.raises(ClientGone):
        read([*parts(b"one", b"two")[:1], GONE])


def test_the_memory_of_all_bodies_is_bounded() -> None:
    bodies = Bodies(Limits(body_bytes=10, body_seconds=0.05))
    held = [read(parts(b"1" * 10), bodies) for _ in range(16)]
    for messages in (parts(b"1"), parts(b"1", b"2")):
        with pytest.raises(Busy):
            read(messages, bodies)
    with pytest.raises(Refusal):
        read(parts(b"1" * 11), bodies)
    bodies.free(held[0])
    assert read(parts(b"1"), bodies) == b"1"
