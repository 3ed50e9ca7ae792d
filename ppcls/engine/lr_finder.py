"""A range test for the learning rate (Smith, "Cyclical Learning Rates for Training Neural Networks", section 3.3).

Each step trains with a rate that is higher by the same factor than the one before. While the rate is too low the loss
hardly moves, then it falls, and at last it diverges. The rate at which it falls fastest is a good one to train with.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import math
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from tqdm import tqdm

from ppcls.analysis.figures import require_matplotlib
from ppcls.config import Config
from ppcls.engine import build, processes
from ppcls.engine.callbacks.console import report_failures
from ppcls.engine.device import start
from ppcls.engine.precision import Precision, forget_gradients
from ppcls.engine.trainer import step_seed
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import require_place, write_atomically
from ppcls.utils.logging import get_logger

DIVERGED = 4.0  # times the lowest smoothed loss
_HEADER = ("learning_rate", "loss", "smoothed_loss")


def find_learning_rate(
    config: Config, output: str, low: float, high: float, steps: int
) -> int:
    """Train some steps with a rising rate, draw the loss to `output` and log where it falls fastest."""
    # Load_config requires both
    assert config.Optimizer is not None and config.DataLoader.Train is not None
    picture = check(output, low, high, steps)
    start(config)
    precision, update_freq = build.precision(config), config.Global.update_freq
    pictures = build.images(config.DataLoader.Train, config.Arch.class_num)
    build.warn_about_workers({"DataLoader.Train": config.DataLoader.Train})
    reader = build.loader(config.DataLoader.Train, pictures, config, on_error="skip")
    model, config = build.model(config, training=True)
    assert config.Optimizer is not None
    make_optimizer = functools.partial(
        config.Optimizer.build, named_parameters=list(model.named_parameters())
    )
    with contextlib.closing(batches_of(reader)) as batches:
        total = steps * update_freq
        # `disable=None` shows the bar on a terminal alone
        shown = tqdm(batches, total=total, unit="batch", leave=False, disable=None)
        test = range_test(
            model,
            shown,
            build.losses(config.Loss.Train),
            make_optimizer,
            low,
            high,
            steps,
            config.Global.seed,
            update_freq=update_freq,
            precision=precision,
        )
    numbers = write(test, picture)
    report_failures(reader.failures)
    get_logger().info(
        "%d of %d steps, to a rate of %.3g: %s, %s",
        len(test.rates), steps, test.rates[-1], picture, numbers,
    )  # fmt: skip
    if test.suggestion is None:
        raise UserError(
            f"the loss never clearly fell from {low:g} to {test.rates[-1]:.3g}; write a lower --low or more --steps"
        )
    get_logger().info(
        "the loss falls fastest at a learning rate of %.3g, with batches of %d",
        test.suggestion, build.global_batch(config),
    )  # fmt: skip
    return 0


@dataclass(frozen=True)
class RangeTest:
    """The result of a range test: the rate of each step, and the loss before that step was taken."""

    rates: Sequence[float]
    losses: Sequence[float]

    @property
    def smoothed(self) -> np.ndarray:
        """Each loss averaged with its neighbours: a twentieth of all losses on either side, at least one."""
        return smooth(self.losses)

    @property
    def suggestion(self) -> float | None:
        """The rate at which the smoothed loss falls fastest; None if it never clearly falls.

        That is where its derivative with respect to the logarithm of the rate (central differences, smoothed) is
        lowest. Only the steps up to the lowest smoothed loss count, because a loss that falls later has risen before.
        Over these steps it must fall by more than four standard errors of the first mean; a smaller fall may be noise.
        """
        smoothed = self.smoothed
        end = int(smoothed.argmin()) + 1
        noise = np.std(self.losses[:end] - smoothed[:end]) / math.sqrt(
            _reach(self.losses) + 1
        )
        if smoothed[0] - smoothed[end - 1] <= 4 * noise:
            return None
        slopes = smooth(np.gradient(smoothed, np.log(self.rates)).tolist())
        return self.rates[int(slopes[:end].argmin())]


def _reach(losses: Sequence[float]) -> int:
    return max(len(losses) // 20, 1)


def smooth(losses: Sequence[float]) -> np.ndarray:
    """Average each loss with its neighbours on both sides, so that the curve does not lag; fewer at the ends."""
    reach = _reach(losses)
    means = []
    for place in range(len(losses)):
        begin = max(place - reach, 0)
        means.append(np.mean(losses[begin : place + reach + 1]))
    return np.array(means)


def range_test(
    model: Any,
    batches: Iterable[Any],
    losses: Callable[[Any, Any], dict[str, Any]],
    make_optimizer: Callable[[float], Any],
    low: float,
    high: float,
    steps: int,
    seed: int = 0,
    update_freq: int = 1,
    precision: Precision | None = None,
) -> RangeTest:
    """Take `steps` steps with rates from `low` to `high`; the model is left unchanged.

    Mixed precision of level O2 leaves the weights in half precision. The test ends early when a loss is not finite, or
    when the smoothed loss is four times its lowest value so far.

    Args:
        model: a layer; its weights, statistics and mode are restored, also after an error.
        batches: each with `image` [N, C, H, W], N at least 1, `label` and `index` [N].
        losses: as in `Trainer`.
        make_optimizer: makes the optimizer of the model's parameters with a learning rate.
        low: the first rate, above 0.
        high: the last one.
        steps: number of steps, at least 2.
        seed: seed of dropout.
        update_freq: batches per step; the loss of a step is the mean over their pictures.
        precision: precision of the arithmetic; float32 by default.

    Raises:
        UserError: the first loss is not finite.
    """
    was_training, precision = model.training, precision or Precision()
    model, optimizer = precision.prepare(model, make_optimizer(low))
    # Without the hook that gives float32 copies of weights held in half precision.
    saved = {
        name: value.clone() for name, value in model.state_dict(use_hook=False).items()
    }
    rates: list[float] = []
    seen: list[float] = []
    model.train()
    seeded = (
        (step_seed(seed, 0, number), batch) for number, batch in enumerate(batches)
    )
    try:
        for step in range(steps):
            rate = low * (high / low) ** (step / (steps - 1))
            optimizer.set_lr(rate)
            loss = _step(
                model, islice(seeded, update_freq), losses, optimizer, precision
            )
            if not math.isfinite(loss):
                break
            rates.append(rate)
            seen.append(loss)
            smoothed = smooth(seen)
            if smoothed[-1] > DIVERGED * smoothed.min():
                break
    finally:
        forget_gradients(optimizer)
        model.set_state_dict(saved)
        if not was_training:
            model.eval()
    expect(
        seen,
        f"no loss is finite, not even at a learning rate of {low:g}; look at the weights and --low",
    )
    return RangeTest(rates, seen)


def _step(
    model: Any,
    batches: Iterable[tuple[int, Any]],
    losses: Any,
    optimizer: Any,
    precision: Precision,
) -> float:
    """Take one step as the trainer does, with pairs (seed, batch), unless the loss is not finite; return the loss."""
    total, pictures, unit = 0.0, 0, 0
    for seed, batch in batches:
        paddle.seed(seed)
        with precision.context():
            loss = losses(model(batch.image), batch.label)["loss"]
        value, count = loss.item(), len(batch.index)
        if not math.isfinite(value):
            return value
        unit = unit or count
        precision.backward(loss if count == unit else loss * (count / unit))
        total, pictures = total + value * count, pictures + count
    if not pictures:  # there are no more batches
        return math.nan
    processes.sum_gradients(model.parameters(), unit / pictures)
    precision.step(optimizer)
    forget_gradients(optimizer)
    return total / pictures


def batches_of(loader: Any) -> Generator[Any, None, None]:
    """Yield the batches of a loader that hold pictures, epoch after epoch, without end.

    Raises:
        UserError: not one picture of an epoch can be read.
    """
    for epoch in count():
        is_empty = True
        for batch in loader.epoch(epoch):
            if len(batch.index):
                is_empty = False
                yield batch
        if is_empty:
            raise UserError(
                "not one picture of DataLoader.Train could be read, so nothing was learnt"
            )


def check(output: str, low: float, high: float, steps: int) -> Path:
    """Check the options before anything is trained; return the path of the picture.

    Raises:
        UserError: a value is impossible, another file is there, or matplotlib is missing.
    """
    expect(
        0 < low < high < math.inf,
        f"--low is {low:g} and --high is {high:g}; write two rates above 0, the lower one first",
    )
    expect(
        steps >= 10,
        f"--steps is {steps}; write a whole number of at least 10, such as 100",
    )
    expect(
        Path(output).suffix == ".png",
        f"--output is {output}; write the path of a .png, such as lr_find.png",
    )
    require_place(output)
    _check_place(Path(output))
    require_matplotlib()
    return Path(output)


def _check_place(picture: Path) -> None:
    """Raise a UserError if a file would be replaced that is not an earlier curve, such as a user's list."""
    numbers = picture.with_suffix(".csv")
    if numbers.is_file():
        with numbers.open("rb") as file:
            if file.readline(100).strip() == ",".join(_HEADER).encode():
                return
    for place in (picture, numbers):
        expect(
            not place.exists(),
            f"{place} is there already and is not a curve of lr-find; give another path as --output",
        )


def write(test: RangeTest, picture: Path) -> Path:
    """Draw the curve and write its numbers beside it; return the path of the numbers, a .csv."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(xscale="log", xlabel="learning rate", ylabel="loss")
    axes.plot(test.rates, test.losses, color="lightgray", label="loss")
    axes.plot(test.rates, test.smoothed, label="smoothed")
    if test.suggestion is not None:
        axes.axvline(
            test.suggestion,
            color="tab:red",
            linestyle="--",
            label=f"falls fastest at {test.suggestion:.2g}",
        )
    axes.legend()
    drawn, numbers = io.BytesIO(), io.StringIO()
    figure.savefig(drawn, format="png")
    rows = csv.writer(numbers, lineterminator="\n")
    rows.writerow(_HEADER)
    rows.writerows(zip(test.rates, test.losses, test.smoothed.tolist()))
    write_atomically(picture, drawn.getvalue())
    write_atomically(picture.with_suffix(".csv"), numbers.getvalue().encode())
    return picture.with_suffix(".csv")
