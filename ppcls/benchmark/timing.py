"""Seconds that pieces of work take, measured in turns.

Every round gives each piece a turn, so that what the machine does beside us falls on all of them alike; every second
round goes backwards, so that none always follows the same one. A turn begins with calls that are not timed: they warm
the caches, and outlast the threads of the piece before, which some engines leave spinning for up to 0.2 s.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Key = TypeVar("Key")
Clock = Callable[[], float]


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        rounds: turns of each piece of work.
        settle: seconds of untimed calls that begin a turn, at least one call.
        span: seconds of timed calls that end it, at least one call.

    Raises:
        ValueError: nothing would be measured.
    """

    rounds: int = 10
    settle: float = 0.25
    span: float = 0.5

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError(f"rounds is {self.rounds}; write 1 or more")
        for name in ("settle", "span"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} is {getattr(self, name):g}; write seconds, 0 or more"
                )

    def __str__(self) -> str:
        return (
            f"{self.rounds} interleaved round{'s' if self.rounds > 1 else ''}; in each, {self.settle:g} s of warm-up, "
            f"then {self.span:g} s of timed calls (at least one)"
        )


@dataclass(frozen=True)
class Timing:
    """The seconds of each timed call, in order."""

    seconds: tuple[float, ...]

    def percentile(self, percent: float) -> float:
        """Seconds that so many percent of the calls stay below, between two calls interpolated linearly."""
        return float(np.percentile(self.seconds, percent))

    @property
    def median(self) -> float:
        """Seconds of the middle call."""
        return self.percentile(50)

    @property
    def undisturbed(self) -> float:
        """Seconds of the first quartile, by which pieces are compared: other programs only ever add time."""
        return self.percentile(25)

    def divided(self, parts: int) -> Timing:
        """The same calls, each taken as so many equal parts."""
        return Timing(tuple(seconds / parts for seconds in self.seconds))


def time_in_turns(
    works: Mapping[Key, Callable[[], object]],
    plan: Plan,
    clock: Clock = time.perf_counter,
) -> dict[Key, Timing]:
    """Times every piece of work, by `plan`, in turns.

    Args:
        works: what to call, by any key.
        plan: rounds, and what a turn is.
        clock: seconds since some moment.
    """
    seconds: dict[Key, list[float]] = {key: [] for key in works}
    for number in range(plan.rounds):
        for key in list(works) if number % 2 == 0 else reversed(list(works)):
            _calls(works[key], plan.settle, clock)
            seconds[key] += _calls(works[key], plan.span, clock)
    return {key: Timing(tuple(values)) for key, values in seconds.items()}


def _calls(work: Callable[[], object], span: float, clock: Clock) -> list[float]:
    """Calls until `span` seconds are over, once at least; the seconds of each."""
    found: list[float] = []
    first = now = clock()
    while not found or now - first < span:
        work()
        before, now = now, clock()
        found.append(now - before)
    return found
