"""Evaluation during training."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from ppcls.engine import processes
from ppcls.engine.callbacks.console import epoch_label, report_failures
from ppcls.engine.evaluator import Evaluator, ScoreCollector
from ppcls.engine.meters import text_of
from ppcls.engine.trainer import Callback, Trainer
from ppcls.utils.logging import get_logger, on_console, remarked


@dataclass
class EvaluateEpochs(Callback):
    """Evaluates every `interval` epochs and after the last one; keeps the best in `trainer.state.best`.

    The first `first_after` epochs are not evaluated, unless the last one is among them.

    Best is the highest first metric (top1 as a rule), or the lowest loss where there is no metric. Where the weights
    have a moving average both are evaluated, and the one that is deployed decides.

    The scores of the best evaluation are kept for its report if there is a `collector`.

    The training is over after `patience` evaluations in a row without a better one (None: never). How many they are
    follows from the epochs of the best and of now, so a resumed run knows it.
    """

    evaluator: Evaluator
    interval: int
    deployed: str = "weights"  # or "average"
    patience: int | None = None
    first_after: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    collector: ScoreCollector | None = None  # keeps the scores of the best evaluation
    best_scores: ScoreCollector | None = None

    def trial(self, trainer: Trainer) -> None:
        """Finds out before the first step what would end the run at its first evaluation; see `Evaluator.trial`."""
        with trainer.precision.evaluation_weights(trainer.model, trainer.optimizer):
            self.evaluator.trial(trainer.model)

    def train_begin(self, trainer: Trainer) -> None:
        """A signal to the run ends an evaluation early as well."""
        self.evaluator.should_stop = lambda: bool(trainer.stop)
        self._end_in_vain(trainer, trainer.state.epoch)

    def epoch_end(self, trainer: Trainer) -> None:
        """Evaluates, if it is this epoch's turn."""
        epoch = trainer.state.epoch
        is_its_turn = self._turns(epoch + 1) > self._turns(epoch)
        if not is_its_turn and epoch + 1 != trainer.epochs:
            return
        values = self._run(trainer, epoch)
        report_failures(
            processes.merged(self.evaluator.loader.failures), "for the evaluation "
        )
        if values is None:
            return
        self.history.append({"epoch": epoch, **values})
        self._compare(trainer, epoch, values)
        self._end_in_vain(trainer, epoch + 1)

    def _compare(self, trainer: Trainer, epoch: int, values: dict[str, float]) -> None:
        if not all(math.isfinite(value) for value in values.values()):
            get_logger().warning(
                "this evaluation is not finite (%s) and cannot be the best",
                text_of(values),
            )
            return
        metric = next(iter(values))
        score = -values[metric] if metric == "loss" else values[metric]
        best = trainer.state.best
        if best and best["metric"] != metric:
            get_logger().info(
                "the best was counted in %s so far, and is in %s from now on",
                best["metric"],
                metric,
            )
            best = {}
        short = None
        if not best or score > best["score"]:
            best = {"metric": metric, "score": score, "epoch": epoch, **values}
            short = f"best so far: {metric} {best[metric]:.4f}"
            self.best_scores = self.collector
        trainer.state.best = best
        get_logger().info(
            "best %s: %.5f in epoch:%d", metric, best[metric], best["epoch"],
            extra=on_console(short),
        )  # fmt: skip

    def _turns(self, epochs: int) -> int:
        """How many evaluations there are in so many epochs, an extra one after the last epoch not counted."""
        skipped = self.first_after // self.interval
        return max(epochs // self.interval - skipped, 0)

    def _end_in_vain(self, trainer: Trainer, epochs: int) -> None:
        """Ends the training if too many evaluations of the `epochs` done so far came after the best one."""
        best = trainer.state.best["epoch"] + 1 if trainer.state.best else 0
        in_vain = self._turns(epochs) - self._turns(best)
        if self.patience is not None and in_vain >= self.patience:
            trainer.finished = True
            get_logger().info(
                "%d evaluations in a row were no better, so the training is over",
                in_vain,
            )

    def _evaluate(self, model: Any, epoch: int) -> dict[str, float] | None:
        if self.collector is not None:
            self.collector = ScoreCollector()
            self.evaluator.on_batch = self.collector.take
        return self.evaluator.run(model, epoch)

    def _run(self, trainer: Trainer, epoch: int) -> dict[str, float] | None:
        self.evaluator.label = f"{epoch_label(trainer)}  "
        with trainer.precision.evaluation_weights(trainer.model, trainer.optimizer):
            if trainer.ema is None:
                return self._evaluate(trainer.model, epoch)
            with remarked("the weights"):
                values = self._evaluate(trainer.model, epoch)
            of_weights = self.collector
            if values is None:
                return None
            with (
                trainer.ema.in_place_of_weights(trainer.model),
                remarked("their moving average"),
            ):
                averaged = self._evaluate(trainer.model, epoch)
        if averaged is None:
            return None
        get_logger().info(
            "the weights' moving average: %s; the weights: %s",
            text_of(averaged),
            text_of(values),
            extra=on_console(None),
        )
        if self.deployed == "average":
            return averaged
        self.collector = of_weights
        return values
