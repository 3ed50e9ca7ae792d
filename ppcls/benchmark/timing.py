"""Seconds that pieces of work take, measured in interleaved rounds.

Every round times each piece, so that what the machine does besides affects all of them alike; every second round goes
backwards, so that no piece always follows the same other one. Before timed calls come calls that are not timed: they
warm the caches, and outlast the threads of the piece before, which some engines leave spinning for up to 0.2 s.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from ppcls.utils.fields import require

Key = TypeVar("Key")
Clock = Callable[[], float]


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        rounds: How often each piece of work is timed.
        settle: Seconds of calls in each round that are not timed; at least one call.
        span: Seconds of timed calls in each round; at least one call.

    Raises:
        ValueError: Nothing would be measured.
    """

    rounds: int = 10
    settle: float = 0.25
    span: float = 0.5

    def __post_init__(self) -> None:
        require(self.rounds >= 1, f"rounds is {self.rounds}; write 1 or more")
        for name in ("settle", "span"):
            require(
                0 <= getattr(self, name) < math.inf,
                f"{name} is {getattr(self, name):g}; write seconds, 0 or more",
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
        """The percentile of the calls' seconds, interpolated linearly between two calls."""
        return float(np.percentile(self.seconds, percent))

    @property
    def median(self) -> float:
        """The median of the calls' seconds."""
        return self.percentile(50)

    @property
    def undisturbed(self) -> float:
        """The first quartile, by which pieces are compared: other programs only ever add time."""
        return self.percentile(25)

    def divided(self, parts: int) -> Timing:
        """The calls' seconds, each divided by a number."""
        return Timing(tuple(seconds / parts for seconds in self.seconds))

    def joined(self, other: Timing) -> Timing:
        """The calls of both."""
        return Timing(self.seconds + other.seconds)


def time_interleaved(
    works: Mapping[Key, Callable[[], object]],
    plan: Plan,
    clock: Clock = time.perf_counter,
    title: str = "",
) -> dict[Key, Timing]:
    """Time every piece of work in interleaved rounds, with a bar on a terminal.

    Args:
        works: What to call, by any key.
        plan: How much is measured.
        clock: Gives seconds.
        title: Begins the bar.
    """
    timings = dict.fromkeys(works, Timing(()))
    keys = list(works)
    total = plan.rounds * len(keys)
    # It draws between the calls that are timed, never during one
    with tqdm(
        total=total,
        desc=title,
        unit="span",
        leave=False,
        dynamic_ncols=True,
        disable=None,
    ) as bar:
        for _ in range(plan.rounds):
            for key in keys:
                _call(works[key], plan.settle, clock)
                calls = _call(works[key], plan.span, clock)
                timings[key] = timings[key].joined(calls)
                bar.update()
            keys.reverse()
    return timings


def _call(work: Callable[[], object], span: float, clock: Clock) -> Timing:
    """Call until `span` seconds are over, at least once."""
    found: list[float] = []
    first = now = clock()
    while not found or now - first < span:
        work()
        before, now = now, clock()
        found.append(now - before)
    return Timing(tuple(found))
