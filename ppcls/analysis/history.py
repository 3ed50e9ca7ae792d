"""The history of a training run, read from its `train.log`: also of one that is running, and of an earlier version's.

The log has PaddleClas's lines, with epochs counted from 0:

    2026-11-30 11:43:34 INFO: epoch:3  , train step:20  , top1: 0.5, loss: 1.2, lr: 0.010000, batch_cost: ...
    2026-11-30 11:43:40 INFO: END epoch:3   train top1: 0.6, loss: 1.1,  batch_cost: ..., ips: 120.5 images/sec.
    2026-11-30 11:43:42 INFO: END epoch:3   valid top1: 0.7, loss: 0.9,  batch_cost: ..., ips: 300.1 images/sec.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ppcls.utils.errors import UserError

# Names of files in the folder of a training run
CONFIG_FILE, LOG_FILE = "config.yaml", "train.log"
CURVES_FILE, REPORT_FILE = "curves.png", "report.html"
# The folder of the report of the best weights
EVALUATION_FOLDER = "evaluation"

# How the log remarks on an evaluation where the weights have a moving average, by the value of EMA.deploy
_REMARKS = {"average": "their moving average", "weights": "the weights"}
_TIME = r"^(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) INFO: "
_STEP = re.compile(
    _TIME + r"epoch:(?P<epoch>\d+) *, train step:.*?, lr: (?P<rate>[^,]+)"
)
_END = re.compile(
    _TIME
    + r"END epoch:(?P<epoch>\d+) +(?P<part>train|valid) (?P<values>.*?),  batch_cost:"
    r".*? ips: (?P<speed>[^ ]+) images/sec\.(?: \((?P<remark>[^)]*)\))?$"
)
_BEST = re.compile(
    _TIME + r"best (?P<metric>\w+): (?P<value>[^ ]+) in epoch:(?P<epoch>\d+)"
)
_VALUE = re.compile(r"(\w+): ([^,]+)")
_OVER = "so the training is over"
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
# The newest epochs, by whose pace the time left is estimated
_RECENT = 5


@dataclass
class Epoch:
    """What the log says of one epoch.

    Attributes:
        number: From 1.
        train: Metrics and losses over the training's batches, by name.
        valid: Those of the evaluation; empty if there was none.
        learning_rate: Of the last step that was logged; None if none was.
        images_per_second: Of the training.
        ended: When the last line of the epoch was written.
    """

    number: int
    train: dict[str, float] = field(default_factory=dict)
    valid: dict[str, float] = field(default_factory=dict)
    learning_rate: float | None = None
    images_per_second: float | None = None
    ended: datetime | None = None


class Best(NamedTuple):
    """The best evaluation of a run: its first metric, the value, and the epoch, from 1."""

    metric: str
    value: float
    epoch: int


@dataclass
class History:
    """The epochs of a run that have ended, in order.

    Attributes:
        epochs: Them.
        best: The best evaluation so far; None if there was none.
        is_over: Whether the run has ended itself because its evaluations were no better any more.
        began: When the first line of the log was written.
    """

    epochs: list[Epoch] = field(default_factory=list)
    best: Best | None = None
    is_over: bool = False
    began: datetime | None = None

    def seconds_left(self, epochs: int) -> float | None:
        """Return the seconds that the rest of a run takes, with its evaluations, at the pace of its newest epochs.

        Args:
            epochs: Epochs of the whole run.

        Returns:
            None if the log does not tell the pace yet.
        """
        if self.is_over or not self.epochs:
            return 0.0 if self.is_over else None
        last = self.epochs[-1]
        first = self.epochs[max(len(self.epochs) - 1 - _RECENT, 0)]
        done = last.number - first.number
        begun = first.ended
        if done <= 0:
            done, begun = last.number, self.began
        if begun is None or last.ended is None:
            return None
        pace = (last.ended - begun).total_seconds() / done
        return max(pace, 0.0) * max(epochs - last.number, 0)

    def series(self, part: str, name: str) -> tuple[list[int], list[float]]:
        """Return the epochs that have a value, and the values.

        Args:
            part: `train` or `valid`.
            name: A metric or a loss.
        """
        numbers, values = [], []
        for epoch in self.epochs:
            found: Mapping[str, float] = getattr(epoch, part)
            if name in found:
                numbers.append(epoch.number)
                values.append(found[name])
        return numbers, values


def read_history(folder: Path, deployed: str = "average") -> History:
    """Read the history of a run.

    Args:
        folder: The run's folder.
        deployed: Which evaluation counts where the weights have a moving average: `average` or `weights`.

    Raises:
        UserError: The folder has no log.
    """
    file = folder / LOG_FILE
    if not file.is_file():
        raise UserError(
            f"{folder} is not the folder of a run, because it has no {LOG_FILE}; give one such as output/DLA34"
        )
    with file.open(encoding="utf-8", errors="replace") as lines:
        return parse(lines, deployed)


def parse(lines: Iterable[str], deployed: str = "average") -> History:
    """Read the history from the lines of a log, as `read_history` does.

    Of an epoch that a resumed run has trained again the later lines count.
    """
    history = History()
    epochs: dict[int, Epoch] = {}
    rates: dict[int, float] = {}
    for line in lines:
        text = line.rstrip("\n")
        if history.began is None:
            stamp = re.match(_TIME, text)
            history.began = _time_of(stamp["time"]) if stamp else None
        if "epoch:" not in text:
            history.is_over = history.is_over or text.endswith(_OVER)
        elif step := _STEP.match(text):
            rates[int(step["epoch"])] = _number(step["rate"])
        elif end := _END.match(text):
            history.is_over = False
            if end["part"] == "train":
                _take_training(epochs, rates, end)
            elif end["remark"] in (None, _REMARKS[deployed]):
                _take_evaluation(epochs, end)
        elif best := _BEST.match(text):
            history.best = Best(
                best["metric"], _number(best["value"]), int(best["epoch"]) + 1
            )
    history.epochs = [epochs[number] for number in sorted(epochs)]
    return history


def _take_training(
    epochs: dict[int, Epoch], rates: Mapping[int, float], end: re.Match[str]
) -> None:
    """Begin an epoch. What an earlier part of the run knows of it and of later ones does not count any more."""
    number = int(end["epoch"])
    for later in [known for known in epochs if known >= number]:
        del epochs[later]
    epochs[number] = Epoch(
        number + 1,
        train=_values(end),
        learning_rate=rates.get(number),
        images_per_second=_number(end["speed"]),
        ended=_time_of(end["time"]),
    )


def _take_evaluation(epochs: dict[int, Epoch], end: re.Match[str]) -> None:
    epoch = epochs.setdefault(int(end["epoch"]), Epoch(int(end["epoch"]) + 1))
    epoch.valid = _values(end)
    epoch.ended = _time_of(end["time"])


def _values(end: re.Match[str]) -> dict[str, float]:
    return {name: _number(text) for name, text in _VALUE.findall(end["values"])}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # a line that was cut
        return float("nan")


def _time_of(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _TIME_FORMAT)
    except ValueError:
        return None
