"""Damaged copies of whole files, for readers that must refuse them by one sentence or read them."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ppcls.utils.errors import UserError

FUZZ_SECONDS = float(os.environ.get("PPCLS_FUZZ_SECONDS", "0"))  # a mutation test's time; 0 is `make test`
FUZZING = FUZZ_SECONDS > 0
SECONDS = 2.0  # of processor time, for a file of 1 MB
_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)


@dataclass
class Tried:
    """What one test has tried: how many damaged copies, and the processor time of the slowest."""

    copies: int = 0
    slowest: float = 0.0


tried = Tried()  # the running test's


def seeds(count: int) -> Iterator[int]:
    """The numbers up to `count`, or, in `make test-fuzz`, others as long as the time lasts.

    What is done with a number may take as much processor time as a file of 1 MB, which no mutant is larger than.
    """
    if not FUZZING:
        yield from range(count)
        return
    first, end = time.time_ns(), time.monotonic() + FUZZ_SECONDS
    while time.monotonic() < end:
        seed, start = first + tried.copies, time.process_time()
        yield seed
        seconds = time.process_time() - start
        assert seconds <= SECONDS, f"seed {seed}: {seconds:.1f} s"
        tried.copies += 1
        tried.slowest = max(tried.slowest, seconds)


def mutant(whole: bytes, seed: int) -> bytes:
    """A copy of `whole` with one to eight changes: bytes set, cut, doubled, moved, put in, or the end missing."""
    chosen = random.Random(seed)
    content = bytearray(whole)
    for _ in range(chosen.choice((1, 1, 1, 2, 3, 8))):
        at = chosen.randrange(len(content) + 1)
        length = min(len(content) - at, chosen.choice((1, 2, 4, 8, 64)))
        kind = chosen.randrange(7)
        if kind == 0 and length:
            content[at] ^= 1 << chosen.randrange(8)
        elif kind == 1 and length:
            content[at : at + length] = bytes([chosen.choice(_INTERESTING)]) * length
        elif kind == 2:
            del content[at : at + length]
        elif kind == 3:
            content[at:at] = content[at : at + length] * chosen.choice((1, 2, 16))
        elif kind == 4:
            part = content[at : at + length]
            del content[at : at + length]
            there = chosen.randrange(len(content) + 1)
            content[there:there] = part
        elif kind == 5:
            content[at:at] = chosen.randbytes(chosen.choice((1, 2, 8)))
        elif content:
            del content[at:]
    return bytes(content)


def assert_every_mutant_is_read_or_refused(
    read: Callable[[bytes], Any], whole: bytes, count: int = 50
) -> dict[str, int]:
    """Reads damaged copies of a file: each is read, or refused by one sentence.

    Args:
        read: gets the content; anything that it raises but `UserError` fails the test.
        whole: a file that is read.
        count: how many copies in `make test`.

    Returns:
        How many were read, and how many refused.
    """
    read(whole)
    seen = {"read": 0, "refused": 0}
    for seed in seeds(count):
        content = mutant(whole, seed)
        try:
            read(content)
            seen["read"] += 1
        except UserError as error:
            text = str(error)
            assert "\n" not in text and len(text) <= 1000, (seed, text[:2000])
            seen["refused"] += 1
        except Exception as error:
            pytest.fail(f"seed {seed}: {type(error).__name__}: {error}")
    return seen
