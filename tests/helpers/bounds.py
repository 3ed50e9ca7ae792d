"""What a reader of other people's files may take: for a file of 1 MB, 2 s and 500 MB beyond the import."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.forking import in_fork
from helpers.fuzzing import FUZZING, SECONDS
from ppcls.utils.errors import UserError

MEGABYTES = 500
HANG_SECONDS = 60  # of processor time; nothing takes as long unless it hangs, on a crowded machine neither


@dataclass(frozen=True)
class Cost:
    """What reading a file took.

    Attributes:
        message: that of the `UserError` which it ended with; None if it was read.
        seconds: of processor time.
        megabytes: of memory at the most, beyond what the process had before it read anything.
    """

    message: str | None
    seconds: float
    megabytes: float


def part_of(count: int) -> int:
    """A fifth of a size or a bound, in `make test`; in `make test-fuzz` all of it."""
    return count if FUZZING else count // 5


def costs_of(*reads: Callable[[], Any]) -> list[Cost]:
    """Calls each of `reads` in a fork, and returns what it took. Any exception but `UserError` fails the test."""

    def measure() -> list[Cost]:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = _peak()
        return [_measure(read, before) for read in reads]

    return in_fork(measure, 10 * HANG_SECONDS)


def cost_of(read: Callable[[], Any]) -> Cost:
    """What one costs; see `costs_of`."""
    return costs_of(read)[0]


def assert_all_bounded(*reads: Callable[[], Any], megabytes: float = MEGABYTES) -> list[str | None]:
    """Asserts that each of `reads` keeps within the bounds, and returns their messages.

    Memory is held in every run; time in `make test-fuzz`, because other tests run beside this one in `make test`.
    """
    costs = costs_of(*reads)
    for cost in costs:
        assert cost.megabytes <= megabytes, f"{cost.megabytes:.0f} MB"
        if FUZZING:
            assert cost.seconds <= SECONDS, f"{cost.seconds:.1f} s"
        if cost.message is not None:
            assert "\n" not in cost.message and len(cost.message) <= 1000, cost.message[:2000]
    return [cost.message for cost in costs]


def assert_bounded(read: Callable[[], Any], megabytes: float = MEGABYTES) -> str | None:
    """Asserts that `read` keeps within the bounds, and returns its message; see `assert_all_bounded`."""
    return assert_all_bounded(read, megabytes=megabytes)[0]


def _measure(read: Callable[[], Any], before: float) -> Cost:
    limit = int(time.process_time()) + HANG_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
    start, message = time.process_time(), None
    try:
        read()
    except UserError as error:
        message = str(error)
    return Cost(message, time.process_time() - start, _peak() - before)


def _peak() -> float:
    status = Path("/proc/self/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) / 1000
