"""What a reader of other people's files may take: for a file of 1 MB, 2 s and 500 MB beyond the import."""

from __future__ import annotations

import os
import pickle
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.fuzzing import FUZZING, SECONDS
from ppcls.utils.errors import UserError

MEGABYTES = 500.0
HANG_SECONDS = 60  # of processor time; nothing takes as long unless it hangs, on a crowded machine neither


@dataclass(frozen=True)
class Cost:
    """What reading a file took.

    Attributes:
        message: that of the `UserError` which it ended with; None if it was read.
        seconds: of processor time.
        megabytes: of memory at the most, beyond what the process had before.
    """

    message: str | None
    seconds: float
    megabytes: float


def cost_of(read: Callable[[], Any]) -> Cost:
    """Calls `read` in a fork, and returns what it took. Any exception but `UserError` fails the test."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _measure(read, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        if not select.select([file], [], [], 10 * HANG_SECONDS)[0]:
            os.kill(child, signal.SIGKILL)
        content = file.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert content, f"the reading process ended with code {code}"
    cost, problem = pickle.loads(content)
    assert problem is None, problem
    return cost


def assert_bounded(read: Callable[[], Any]) -> str | None:
    """Asserts that `read` keeps within the bounds, and returns its message.

    Memory is held in every run; time in `make test-fuzz`, because other tests run beside this one in `make test`.
    """
    cost = cost_of(read)
    assert cost.megabytes <= MEGABYTES, f"{cost.megabytes:.0f} MB"
    if FUZZING:
        assert cost.seconds <= SECONDS, f"{cost.seconds:.1f} s"
    if cost.message is not None:
        assert "\n" not in cost.message and len(cost.message) <= 1000, cost.message[:2000]
    return cost.message


def _measure(read: Callable[[], Any], writing: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (HANG_SECONDS, HANG_SECONDS))
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, start = _peak(), time.process_time()
    message = problem = None
    try:
        read()
    except UserError as error:
        message = str(error)
    except BaseException:
        problem = traceback.format_exc()
    cost = Cost(message, time.process_time() - start, _peak() - before)
    with os.fdopen(writing, "wb") as file:
        file.write(pickle.dumps((cost, problem)))
    os._exit(0)


def _peak() -> float:
    status = Path("/proc/self/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) / 1000
