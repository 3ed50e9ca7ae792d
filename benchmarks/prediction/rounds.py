"""Time several ways to do the same work in interleaved rounds; the ratio within a round is what counts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

SETTLE_SECONDS = 0.3  # OpenMP's threads spin for 0.2 s after a turn, before they sleep


class Spent(NamedTuple):
    """One way's rounds: wall time, and the processor time of all threads, which other programs disturb less."""

    seconds: list[float]
    processor: list[float]

    def per(self, count: int) -> str:
        """`123.4 images/s`, and the processor time per image."""
        speed = count / statistics.median(self.seconds)
        cost = 1000 * statistics.median(self.processor) / count
        return f"{speed:6.1f} images/s, {cost:5.2f} ms of processor time each"


def run_rounds(
    ways: Mapping[str, Callable[[], object]], rounds: int, warm: bool = False
) -> dict[str, Spent]:
    """Run each way once per round, and time it; each round begins with another way.

    With `warm` each turn is run once more before, untimed: short ones would otherwise measure threads that wake up and
    caches that other engines have filled.
    """
    spent = {name: Spent([], []) for name in ways}
    names = list(ways)
    for number in range(-1, rounds):  # round -1 warms up
        for position in range(len(names)):
            name = names[(number + position) % len(names)]
            time.sleep(SETTLE_SECONDS)
            if warm:
                ways[name]()
            begin, processor = time.perf_counter(), time.process_time()
            ways[name]()
            if number >= 0:
                spent[name].seconds.append(time.perf_counter() - begin)
                spent[name].processor.append(time.process_time() - processor)
    return spent


def ratio(above: list[float], below: list[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(above, below))
