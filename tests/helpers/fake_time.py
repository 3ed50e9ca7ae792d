"""A clock that work moves, so that what is measured is known."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np


class Clock:
    """Seconds since the test began."""

    def __init__(self) -> None:
        self.now = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def spend(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


class Work:
    """Takes `seconds[i]` at its i-th call, over and over; notes its name at each."""

    def __init__(self, clock: Clock, seconds: Sequence[float], name: str = "", log: Any = None) -> None:
        self.clock, self.seconds, self.name, self.log = clock, seconds, name, log
        self.calls = 0

    def __call__(self) -> None:
        self.clock.spend(self.seconds[self.calls % len(self.seconds)])
        self.calls += 1
        if self.log is not None:
            self.log.append(self.name)


class FakeBackend:
    """Takes so many seconds a picture, and gives the same scores always."""

    def __init__(self, clock: Clock, seconds: float, scores: Any = None) -> None:
        self.clock, self.seconds, self.scores = clock, seconds, scores
        self.shapes: list[Any] = []

    def run(self, batch: np.ndarray) -> np.ndarray:
        self.shapes.append(batch.shape)
        self.clock.spend(self.seconds * len(batch))
        return np.full((len(batch), 5), 0.2, np.float32) if self.scores is None else self.scores
