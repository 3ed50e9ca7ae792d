"""Which pictures a reader takes from which shard, and in what order.

A reader is a worker of a process. Every address decides alone: the order of the shards comes from (seed, pass), what
a reader mixes from (seed, epoch, rank, worker), so a resumed epoch is exact with as many processes and workers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ppcls.data.sampler import positions

# First words of addresses, apart from those of ppcls.data.sampler.
_SHARDS, _BUFFER = 101, 102


class ShardPart(NamedTuple):
    """Pictures `start` to `stop` of a shard."""

    shard: int
    start: int
    stop: int


@dataclass(frozen=True)
class Division:
    """How the pictures of an epoch are divided among the readers: worker w of a process makes its steps w, w + K, ...

    Attributes:
        length: pictures of an epoch that are read, over all processes.
        steps: steps of an epoch, the same in every process.
        batch_size: pictures a step and process.
        world_size: number of processes.
        workers: readers of each process.
    """

    length: int
    steps: int
    batch_size: int
    world_size: int
    workers: int

    def size(self, step: int, rank: int) -> int:
        """Pictures of a process in a step."""
        taken = positions(self.length, step, self.batch_size, rank, self.world_size)
        return taken.stop - taken.start

    def quota(self, rank: int, worker: int, before: int | None = None) -> int:
        """Pictures of a reader in an epoch, or in its steps before step `before`."""
        steps = range(worker, self.steps if before is None else before, self.workers)
        last = self.steps - 1
        if last not in steps:
            return self.batch_size * len(steps)
        return self.batch_size * (len(steps) - 1) + self.size(last, rank)

    def start(self, rank: int, worker: int) -> int:
        """Where a reader's pictures begin in the epoch: behind those of the readers before it."""
        readers = itertools.product(range(self.world_size), range(self.workers))
        return sum(
            self.quota(*reader)
            for reader in itertools.takewhile(
                lambda one: one != (rank, worker), readers
            )
        )


def shard_order(count: int, seed: int, number: int, shuffle: bool) -> list[int]:
    """The shards in the order of a pass over all of them."""
    if shuffle:
        return (
            np.random.default_rng((_SHARDS, seed, number)).permutation(count).tolist()
        )
    return list(range(count))


def buffer_generator(
    seed: int, epoch: int, rank: int, worker: int
) -> np.random.Generator:
    """Random numbers of one reader's mixing."""
    return np.random.default_rng((_BUFFER, seed, epoch, rank, worker))


def parts(
    counts: np.ndarray, seed: int, shuffle: bool, start: int, stop: int
) -> Iterator[ShardPart]:
    """The pictures `start` to `stop` of endless passes over all shards, each pass in an order of its own."""
    total = int(counts.sum())
    for number in range(start // total, -(-stop // total)):
        begin = number * total
        for shard in shard_order(len(counts), seed, number, shuffle):
            low, high = max(start - begin, 0), min(stop - begin, int(counts[shard]))
            if low < high:
                yield ShardPart(shard, low, high)
            begin += int(counts[shard])


def shuffled(
    items: Iterable[Any], size: int, rng: np.random.Generator
) -> Iterator[Any]:
    """All items, each drawn from a buffer of `size` that the next one then fills. A buffer of 1 keeps the order."""
    buffer: list[Any] = []
    for item in items:
        if len(buffer) < size:
            buffer.append(item)
            continue
        place = int(rng.integers(size))
        drawn, buffer[place] = buffer[place], item
        yield drawn
    for place in rng.permutation(len(buffer)).tolist():
        yield buffer[place]


def still_needed(
    count: int, taken: int, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Which of the first items of `shuffled` do not come among its first `taken`, bool; all behind them do not."""
    needed = np.ones(min(taken + size, count) if taken else 0, bool)
    for place in itertools.islice(shuffled(range(count), size, rng), taken):
        needed[place] = False
    return needed
