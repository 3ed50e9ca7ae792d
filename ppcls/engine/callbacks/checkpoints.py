"""When to save what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

from ppcls.engine import checkpoint
from ppcls.engine.trainer import Callback, Trainer
from ppcls.utils.logging import get_logger


@dataclass
class SaveCheckpoints(Callback):
    """Saves `latest` at every epoch's end, every `interval_steps` steps, and when a signal ends the run.

    `best_model` follows the best evaluation; `epoch_N` (N epochs trained) is kept every `interval_epochs` epochs,
    the newest `keep` of them (None: all)
    """

    output: Path
    interval_epochs: int
    interval_steps: Optional[int]
    keep: Optional[int]
    facts: Dict[str, Any]  # what else the states file records of the run: seed, threads, class names, ...
    record: Optional[Dict[str, Any]] = None  # what the file of weights itself has to remember
    before_evaluation: bool = False  # save when an epoch's steps are done too, lest a failing evaluation lose them

    def step_end(self, trainer: Trainer) -> None:
        """Saves in the midst of an epoch."""
        if self.interval_steps and trainer.global_step % self.interval_steps == 0:
            self._save(trainer)

    def interrupted(self, trainer: Trainer) -> None:
        """Saves where the run stands."""
        self._save(trainer)
        get_logger().info("saved %s at epoch %d, step %d", self._latest, trainer.state.epoch, trainer.state.step)

    def epoch_end(self, trainer: Trainer) -> None:
        """Saves before the evaluation."""
        if self.before_evaluation:
            self._save(trainer)

    def epoch_closed(self, trainer: Trainer) -> None:
        """Saves an epoch's end under the names it has earned."""
        done, names = trainer.state.epoch, []
        if trainer.state.best and trainer.state.best["epoch"] == done - 1:
            names.append(self.output / "best_model")
        if done % self.interval_epochs == 0:
            names.append(self.output / f"epoch_{done}")
        self._save(trainer, names)
        self._retire(done)

    @property
    def _latest(self) -> Path:
        return self.output / "latest"

    def _save(self, trainer: Trainer, also: Sequence[Path] = ()) -> None:
        states = {
            "epoch": trainer.state.epoch,
            "step": trainer.state.step,
            "steps_per_epoch": trainer.steps_per_epoch,
            "best": trainer.state.best,
            "averages": trainer.averages.state(),
            "metrics": [metric.state() for metric in trainer.metrics],
            **self.facts,
        }
        checkpoint.write(self._latest, trainer.model, trainer.optimizer, states, also, self.record)

    def _retire(self, newest: int) -> None:
        """Deletes the kept epochs beyond `keep`; one after `newest` is of an earlier run and stays."""
        if self.keep is None:
            return
        numbers = [int(path.name[6:]) for path in self.output.glob("epoch_*") if path.name[6:].isdigit()]
        kept = sorted((number for number in numbers if number <= newest), reverse=True)
        for number in kept[self.keep :]:
            checkpoint.remove(self.output / f"epoch_{number}")
