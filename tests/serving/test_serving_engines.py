"""Processes that are watched, by fakes that die when a test wants it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ppcls.serving.engines import WatchedProcesses
from ppcls.serving.refusals import NotReady
from ppcls.utils.errors import UserError

BATCH = np.zeros((1, 2), np.float32)


class Fake:
    """An engine's process that doubles its input."""

    def __init__(self) -> None:
        self.is_alive = True
        self.restarts = 0
        self.fails_to_start = 0
        self.dies_while_running = False
        self.held = threading.Event()
        self.held.set()

    def run(self, batch: np.ndarray) -> np.ndarray:
        self.held.wait()
        if self.dies_while_running:
            self.is_alive = self.dies_while_running = False
        if not self.is_alive:
            raise UserError("an engine's process has ended")
        if batch.shape[1] == 3:
            raise UserError("a wrong shape")
        return 2 * batch

    def restart(self) -> None:
        if self.fails_to_start:
            self.fails_to_start -= 1
            raise UserError("no memory")
        self.restarts += 1
        self.is_alive = True

    def kill(self) -> None:
        self.is_alive = False
        self.held.set()

    def close(self) -> None:
        self.kill()


class Watched:
    """Some fakes, what watches them, and what it reports."""

    def __init__(self, count: int) -> None:
        self.fakes = [Fake() for _ in range(count)]
        self.lines: list[str] = []
        self.replaced = threading.Semaphore(0)
        given: Any = self.fakes
        self.processes = WatchedProcesses(given, self.replaced.release, self.lines.append)

    def wait_for_replacement(self) -> None:
        assert self.replaced.acquire(timeout=60)


@pytest.fixture
def one() -> Iterator[Watched]:
    watched = Watched(1)
    yield watched
    watched.processes.close()


def test_batches_run(one: Watched) -> None:
    assert one.processes.run(BATCH + 3).tolist() == [[6, 6]]
    assert one.processes.are_healthy
    with pytest.raises(UserError, match="a wrong shape"):
        one.processes.run(np.zeros((1, 3), np.float32))
    assert one.processes.are_healthy


def test_one_that_dies_in_a_batch_fails_that_batch_and_is_replaced(one: Watched) -> None:
    one.fakes[0].dies_while_running = True
    with pytest.raises(NotReady, match="the process that computed the answer has died"):
        one.processes.run(BATCH)
    assert not one.processes.are_healthy or one.fakes[0].restarts == 1
    # The next batch waits for the new process
    assert one.processes.run(BATCH + 1).tolist() == [[2, 2]]
    one.wait_for_replacement()
    assert one.fakes[0].restarts == 1


def test_one_that_dies_while_nobody_asks_is_replaced(one: Watched) -> None:
    one.fakes[0].is_alive = False
    one.wait_for_replacement()
    assert one.processes.run(BATCH + 1).tolist() == [[2, 2]]


def test_one_that_cannot_start_is_tried_again(one: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ppcls.serving.engines._SECONDS_BETWEEN_TRIES", 0.01)
    one.fakes[0].fails_to_start = 2
    one.fakes[0].is_alive = False
    one.wait_for_replacement()
    assert one.lines == ["a process of Paddle cannot be replaced yet: no memory"] * 2


def test_batches_go_to_those_that_run() -> None:
    watched = Watched(2)
    first, second = watched.fakes
    first.held.clear()
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(watched.processes.run(BATCH))) for _ in range(3)]
    for thread in threads:
        thread.start()
    first.held.set()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    watched.processes.close()
    assert not first.is_alive and not second.is_alive
    assert not watched.processes.are_healthy
    assert (first.restarts, second.restarts) == (0, 0)
