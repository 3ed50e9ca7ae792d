"""Running averages for log lines; a checkpoint records them, so that a resumed run continues them."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import Any

from ppcls.engine import processes

# Of a batch's cost, beyond which the reader is named as the bottleneck
_READER_SHARE = 1 / 3


class Averages:
    """Means of named values over the pictures seen since `reset`."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.count = 0

    def reset(self) -> None:
        """Clear all values."""
        self.sums, self.count = {}, 0

    def update(self, values: dict[str, float], count: int) -> None:
        """Adds a batch of `count` pictures, over which `values` are means already."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value * count
        self.count += count

    def result(self) -> dict[str, float]:
        """The means, in order of first appearance."""
        return {name: total / self.count for name, total in self.sums.items()}

    def state(self) -> dict[str, object]:
        """The plain values that `restore` needs."""
        return {"sums": dict(self.sums), "count": self.count}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the values of `state`."""
        self.sums, self.count = dict(state["sums"]), int(state["count"])

    def add(self, state: dict[str, Any]) -> None:
        """Add the values that another process counted."""
        for name, value in state["sums"].items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += state["count"]


def over_all_processes(
    metrics: Sequence[Any], averages: Averages
) -> tuple[Sequence[Any], Averages]:
    """Copies that have counted what those of every process have; every process must call this."""
    states = processes.gather(
        ([metric.state() for metric in metrics], averages.state())
    )
    if len(states) == 1:
        return metrics, averages
    metrics, averages = copy.deepcopy(list(metrics)), Averages()
    for metric in metrics:
        metric.reset()
    for metric_states, average_state in states:
        averages.add(average_state)
        for metric, state in zip(metrics, metric_states):
            metric.add(state)
    return metrics, averages


def summary(metrics: Sequence[Any], averages: Averages) -> dict[str, float]:
    """Metrics, then mean losses, over all processes: the order of a log line."""
    return own_summary(*over_all_processes(metrics, averages))


def own_summary(metrics: Sequence[Any], averages: Averages) -> dict[str, float]:
    """Metrics, then mean losses, of this process only."""
    values: dict[str, float] = {}
    for metric in metrics:
        values.update(metric.result())
    values.update(averages.result())
    return values


def text_of(values: dict[str, float]) -> str:
    """`top1: 0.77500, top5: 0.95000, loss: 1.82285`."""
    return ", ".join(f"{name}: {value:.5f}" for name, value in values.items())


def short_text_of(values: dict[str, float]) -> str:
    """`top1 0.7750  top5 0.9500  loss 1.8229`, for a console."""
    return "  ".join(f"{name} {value:.4f}" for name, value in values.items())


class Stopwatch:
    """Seconds for reading and for whole batches, since the last `lap` and since `start`."""

    def start(self) -> None:
        """Start an epoch."""
        self._batches: list[float] = []
        self._readers: list[float] = []
        self._images: list[int] = []
        self._lap = 0
        self._mark = time.perf_counter()
        self._read_mark = self._mark

    def read(self) -> None:
        """Note that a batch has arrived from the reader."""
        self._read_mark = time.perf_counter()

    def finish(self, images: int) -> None:
        """Note that the batch of `images` pictures is done."""
        now = time.perf_counter()
        self._readers.append(self._read_mark - self._mark)
        self._batches.append(now - self._mark)
        self._images.append(images)
        self._mark = now

    def resume(self) -> None:
        """Leave out the time since the last batch, which callbacks have used."""
        self._mark = time.perf_counter()

    def lap(self) -> str:
        """Costs over the batches since the last lap, as log text."""
        text = self._text(self._lap)
        self._lap = len(self._batches)
        return text

    def short_total(self) -> str:
        """Pictures per second and the time since `start`, for a console."""
        seconds = round(sum(self._batches))
        time_taken = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        return f"{self.images_per_second():.4g} images/s  {time_taken}"

    def total(self) -> str:
        """Costs over all batches since `start`, as log text."""
        return self._text(0, total=True)

    def bottleneck(self, num_workers: int) -> str | None:
        """Describe a reader that kept the model waiting for over a third of the epoch; None if it did not.

        The first batch is left out, for which the workers start, and so is an epoch that lost less than a second.
        """
        batch, reader = sum(self._batches[1:]), sum(self._readers[1:])
        images = sum(self._images[1:])
        if reader < 1 or reader <= batch * _READER_SHARE:
            return None
        who = {0: "this process decodes", 1: "1 worker decodes"}.get(
            num_workers, f"{num_workers} workers decode"
        )
        return (
            f"reader_cost is {100 * reader / batch:.0f} % of batch_cost: {who} {images / batch:.0f} images/s, "
            f"the model takes {images / max(batch - reader, 1e-9):.0f}; raise DataLoader.Train.loader.num_workers"
        )

    def images_per_second(self) -> float:
        """Over all batches since `start`."""
        return sum(self._images) / max(sum(self._batches), 1e-9)

    def _text(self, first: int, total: bool = False) -> str:
        batches, readers = self._batches[first:], self._readers[first:]
        count, seconds = max(len(batches), 1), sum(batches)
        text = f"batch_cost: {seconds / count:.5f} s, reader_cost: {sum(readers) / count:.5f} s, "
        if total:
            text += f"batch_cost_sum: {seconds:.5f} s, "
        return (
            text
            + f"ips: {sum(self._images[first:]) / max(seconds, 1e-9):.5f} images/sec."
        )
