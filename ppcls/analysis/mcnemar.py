"""McNemar's test: whether two models differ on the same pictures by more than chance.

Source: McNemar 1947, Psychometrika 12(2), 153-157; exact binomial form as in Dietterich 1998, Neural Computation 10(7).
"""

from __future__ import annotations

import math
from typing import NamedTuple


class McNemar(NamedTuple):
    """A comparison of two models on the same pictures.

    Attributes:
        only_first: Pictures that only the first model recognises.
        only_second: Pictures that only the second model recognises.
        p_value: How likely a difference as large as this is if both models are equally good.
    """

    only_first: int
    only_second: int
    p_value: float


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """The exact two-sided test: under equal models each picture on which they differ is a fair coin.

    Args:
        only_first: Pictures that only the first model recognises.
        only_second: Pictures that only the second model recognises.
    """
    differing = only_first + only_second
    fewer = min(only_first, only_second)
    return McNemar(only_first, only_second, min(1.0, 2 * _lower_tail(fewer, differing)))


def _lower_tail(successes: int, trials: int) -> float:
    """The probability of at most so many heads, by logarithms, so that long rows do not overflow."""
    logs = []
    for heads in range(successes + 1):
        ways = (
            math.lgamma(trials + 1)
            - math.lgamma(heads + 1)
            - math.lgamma(trials - heads + 1)
        )
        logs.append(ways - trials * math.log(2))
    largest = max(logs)
    return math.exp(largest) * math.fsum(math.exp(value - largest) for value in logs)
