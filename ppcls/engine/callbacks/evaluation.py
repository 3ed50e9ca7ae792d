"""Evaluation during training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List

from ppcls.engine.evaluator import Evaluator
from ppcls.engine.trainer import Callback, Trainer
from ppcls.utils.logging import get_logger


@dataclass
class EvaluateEpochs(Callback):
    """Evaluates every `interval` epochs and after the last one; keeps the best in `trainer.state.best`.

    Best is the highest first metric (top1 as a rule), or the lowest loss where there is no metric.
    """

    evaluator: Evaluator
    interval: int
    history: List[Dict[str, float]] = field(default_factory=list)

    def train_begin(self, trainer: Trainer) -> None:
        """A signal to the run ends an evaluation early as well."""
        self.evaluator.should_stop = lambda: bool(trainer.stop)

    def epoch_end(self, trainer: Trainer) -> None:
        """Evaluates, if it is this epoch's turn."""
        epoch = trainer.state.epoch
        if (epoch + 1) % self.interval and epoch + 1 != trainer.epochs:
            return
        values = self.evaluator.run(trainer.model, epoch)
        if values is None:
            return
        self.history.append({"epoch": epoch, **values})
        name = next(iter(values))
        score = -values[name] if name == "loss" else values[name]
        if not trainer.state.best or score > trainer.state.best["score"]:
            trainer.state.best = {"score": score, "epoch": epoch, **values}
        best = trainer.state.best
        get_logger().info("best %s: %.5f in epoch:%d", name, best[name], best["epoch"])
