"""Ways to do the same work take turns; what counts is the ratio within a round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Spent(NamedTuple):
    """A way's rounds: the time that passed, and the processor time of all threads, which others disturb less."""

    seconds: list[float]
    processor: list[float]

    def per(self, count: int) -> str:
        """`123.4 images/s`, and what an image costs."""
        speed, cost = (
            count / statistics.median(self.seconds),
            1000 * statistics.median(self.processor) / count,
        )
        return f"{speed:6.1f} images/s, {cost:5.2f} ms of processor time each"


def take_turns(
    ways: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, Spent]:
    """What each way takes in each round; each is first in its turn."""
    spent = {name: Spent([], []) for name in ways}
    names = list(ways)
    for number in range(-1, rounds):  # round -1 warms up
        for turn in range(len(names)):
            name = names[(number + turn) % len(names)]
            begin, processor = time.perf_counter(), time.process_time()
            ways[name]()
            if number >= 0:
                spent[name].seconds.append(time.perf_counter() - begin)
                spent[name].processor.append(time.process_time() - processor)
    return spent


def ratio(above: list[float], below: list[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(above, below))
