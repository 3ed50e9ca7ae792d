"""Reports how many damaged copies each mutation test of `make test-fuzz` tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from helpers.fuzzing import FUZZING, Tried, tried


@pytest.fixture(autouse=True)
def _copies(record_property: Callable[[str, object], None]) -> Iterator[None]:
    vars(tried).update(vars(Tried()))
    yield
    if tried.copies:
        record_property("copies", (tried.copies, tried.slowest))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not FUZZING:
        return
    for report in terminalreporter.getreports(""):  # of setups and teardowns
        for name, (copies, slowest) in report.user_properties:
            if name == "copies" and report.when == "teardown":
                test = report.nodeid.rpartition("/")[2]
                terminalreporter.write_line(f"{copies:9,} copies, at most {slowest:4.2f} s each: {test}")
