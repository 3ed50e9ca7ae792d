"""Ways to do the same work take turns; what counts is the ratio within a round."""

from __future__ import annotations

import statistics
import time
from typing import Callable, Dict, List, Mapping

Seconds = Dict[str, List[float]]


def take_turns(ways: Mapping[str, Callable[[], object]], rounds: int) -> Seconds:
    """Seconds of each way in each round; each is first in its turn."""
    seconds: Seconds = {name: [] for name in ways}
    names = list(ways)
    for number in range(-1, rounds):  # round -1 warms up
        for turn in range(len(names)):
            name = names[(number + turn) % len(names)]
            begin = time.perf_counter()
            ways[name]()
            if number >= 0:
                seconds[name].append(time.perf_counter() - begin)
    return seconds


def median(seconds: List[float]) -> float:
    return statistics.median(seconds)


def ratio(above: List[float], below: List[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(above, below))
