"""Accuracy and loss over a loader, each picture counted once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import paddle
from tqdm import tqdm

from ppcls.analysis.scores import Scored, log_softmax
from ppcls.engine import processes
from ppcls.engine.meters import (
    Averages,
    Stopwatch,
    own_summary,
    short_text_of,
    summary,
    text_of,
)
from ppcls.utils.errors import UserError, expect
from ppcls.utils.logging import get_logger, on_console

_LEAST = 1e-38  # a probability that float32 has rounded to 0


def _itself(model: Any) -> Any:
    return model


class OverViews(paddle.nn.Layer):
    """The mean probabilities of a model over several views of each picture, as logits.

    Args:
        model: The model.
        count: Views of a picture, which lie behind one another along the channels.
    """

    def __init__(self, model: Any, count: int) -> None:
        super().__init__()
        self.model = model
        self.count = count

    def forward(self, views: Any) -> Any:
        """Logarithms of the mean probabilities [N, class_num], of views [N, V * C, H, W]."""
        total = 0.0
        for part in paddle.split(views, self.count, axis=1):
            total += paddle.nn.functional.softmax(self.model(part), axis=-1)
        return paddle.log(paddle.clip(total / self.count, min=_LEAST))


@dataclass
class Evaluator:
    """Evaluates a model; logs a line every `print_batch_step` batches and one at the end.

    Of several processes each evaluates its share; the last line and the result are of all pictures, the lines before
    of the process's own.
    """

    loader: Any
    losses: Callable[[Any, Any], dict[str, Any]]
    metrics: Sequence[Any]
    print_batch_step: int
    should_stop: Callable[[], bool] = bool
    on_batch: Callable[[Any, Any], None] | None = None  # gets each batch and its logits
    context: Callable[[], contextlib.AbstractContextManager[Any]] = (
        contextlib.nullcontext
    )  # what the forward passes run in
    # Whether a bar shows the batches on a console
    has_bar: bool = False
    # Begins its lines on a short console
    label: str = ""
    # What is evaluated of a model that consists of several
    choose: Callable[[Any], Any] = _itself

    def run(self, model: Any, epoch: int = 0) -> dict[str, float] | None:
        """Metrics and mean losses in evaluation mode; None if `should_stop` ended it before the last batch.

        `epoch` is the training run's, for the log. The model is left in the mode it came in.
        """
        model = self.choose(model)
        was_training = model.training
        model.eval()
        processes.same_statistics(model)
        for metric in self.metrics:
            metric.reset()
        averages, stopwatch, stopped = Averages(), Stopwatch(), False
        stopwatch.start()
        try:
            with (
                paddle.no_grad(),
                self.context(),
                processes.peer_failures_reported(),
                self._bar() as bar,
            ):
                for step, batch in enumerate(self.loader.epoch(0)):
                    stopped = self.should_stop()
                    if stopped:
                        break
                    stopwatch.read()
                    if len(batch.index):
                        self._take(model, batch, averages)
                    stopwatch.finish(len(batch.index))
                    bar.update()
                    if step % self.print_batch_step == 0:
                        self._log_step(
                            epoch, step, own_summary(self.metrics, averages), stopwatch
                        )
                    stopwatch.resume()
                if any(processes.gather(stopped)):
                    return None
                values = summary(self.metrics, averages)
        finally:
            if was_training:
                model.train()
        expect(
            values,
            "not one picture of DataLoader.Eval could be read, so there is nothing to report",
        )
        get_logger().info(
            "END epoch:%-3d valid %s,  %s", epoch, text_of(values), stopwatch.total(),
            extra=on_console(f"{self.label}eval   {short_text_of(values)}  {stopwatch.short_total()}"),
        )  # fmt: skip
        return values

    def _bar(self) -> tqdm[NoReturn]:
        """A bar of the batches, on a terminal."""
        return tqdm(
            total=self.loader.steps_per_epoch,
            desc=f"{self.label}eval",
            unit="batch",
            leave=False,
            dynamic_ncols=True,
            disable=not self.has_bar,
        )

    def trial(self, model: Any) -> None:
        """Evaluates a small batch, to find out before a training what would end it at its first evaluation.

        The model, the generators and the metrics are left as they are. Only the first process tries; all raise.

        Raises:
            UserError: the pictures cannot be evaluated.
        """
        problem = ""
        with processes.peer_failures_reported():
            if processes.is_first():
                try:
                    self._try(self.choose(model))
                except UserError as error:
                    problem = str(error)
            problem = processes.gather(problem)[0]
        if problem:
            raise UserError(
                f"the trial of the evaluation (DataLoader.Eval) failed: {problem}"
            )

    def _try(self, model: Any) -> None:
        was_training = model.training
        model.eval()
        try:
            with paddle.no_grad(), self.context():
                batch = self.loader.trial()
                if len(batch.index):
                    self._take(model, batch, Averages())
        finally:
            if was_training:
                model.train()
            for metric in self.metrics:
                metric.reset()

    def _take(self, model: Any, batch: Any, averages: Averages) -> None:
        logits = model(batch.image)
        # In float64, or the mean's last digits would tell how the pictures were grouped into batches and processes.
        losses = self.losses(logits.astype("float64"), batch.label)
        averages.update(
            {name: loss.item() for name, loss in losses.items()}, len(batch.index)
        )
        for metric in self.metrics:
            metric.update(logits, batch.label)
        if self.on_batch is not None:
            self.on_batch(batch, logits)

    def _log_step(
        self, epoch: int, step: int, values: dict[str, float], stopwatch: Stopwatch
    ) -> None:
        # Nothing learns here; readers of PaddleClas's logs expect the field all the same.
        line = "epoch:%-3d, valid step:%-4d, %s, lr: 0.000000, %s"
        short = None
        if not self.has_bar:
            steps = self.loader.steps_per_epoch
            short = (
                f"{self.label}eval   step {step + 1}/{steps}  {short_text_of(values)}"
            )
        get_logger().info(
            line, epoch, step, text_of(values), stopwatch.lap(), extra=on_console(short)
        )


class ScoreCollector:
    """Keeps the scores of the pictures that an evaluator shows it."""

    def __init__(self) -> None:
        self._pictures: list[str] = []
        self._labels: list[np.ndarray] = []
        self._rows: list[np.ndarray] = []

    def take(self, batch: Any, logits: Any) -> None:
        """Keep the scores of a batch; for `Evaluator.on_batch`."""
        labels = batch.label.numpy()
        if labels.ndim == 2:
            labels = labels.argmax(axis=1)
        self._pictures += batch.paths
        self._labels.append(labels.astype(np.int64))
        self._rows.append(log_softmax(logits.astype("float32").numpy()))

    def scored(self, names: list[str] | None) -> Scored:
        """The scores so far.

        Raises:
            UserError: A score is not a number.
        """
        rows = np.concatenate(self._rows)
        expect(
            not np.isnan(rows).any(),
            "some scores are not numbers, so there is no report; check the weights",
        )
        return Scored(self._pictures, np.concatenate(self._labels), rows, names)
