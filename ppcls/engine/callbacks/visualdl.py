"""Scalars for VisualDL and TensorBoard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ppcls.engine.callbacks.evaluation import EvaluateEpochs
from ppcls.engine.trainer import Callback, Trainer
from ppcls.utils.environment import import_optional
from ppcls.utils.logging import get_logger


@dataclass
class VisualDLLog(Callback):
    """Writes losses, accuracy, learning rate and images/s under `folder`; of several processes the first's own.

    A drawing of the run must not end the run: whatever the writer raises is logged once and the drawing stops there.
    """

    folder: Path
    evaluation: EvaluateEpochs | None = None
    title: ClassVar[str] = "VisualDL"
    _writer: Any = None

    def _open(self) -> Any:
        """Make the writer, which has `add_scalar` and `close`."""
        writers = import_optional("visualdl", "visualdl", "visualdl")
        return writers.LogWriter(logdir=str(self.folder))

    def train_begin(self, trainer: Trainer) -> None:
        """Opens the log."""
        try:
            self._writer = self._open()
        # See the class: any failure of the writer is logged, and the run continues
        except Exception as error:
            self._give_up(error)

    def step_end(self, trainer: Trainer) -> None:
        """Writes a step's values."""
        values = {
            f"train/{name}": value for name, value in trainer.own_values().items()
        }
        values["train/lr"] = trainer.optimizer.get_lr()
        values["train/images_per_second"] = trainer.stopwatch.images_per_second()
        self._write(values, trainer.global_step)

    def epoch_end(self, trainer: Trainer) -> None:
        """Writes an evaluation's values, where there was one."""
        if self.evaluation is None or not self.evaluation.history:
            return
        latest = self.evaluation.history[-1]
        if latest["epoch"] == trainer.state.epoch:
            values = {f"valid/{name}": value for name, value in latest.items()}
            del values["valid/epoch"]
            self._write(values, trainer.global_step)

    def train_end(self, trainer: Trainer) -> None:
        """Closes the log."""
        writer, self._writer = self._writer, None
        try:
            if writer is not None:
                writer.close()
        except Exception as error:
            self._give_up(error)

    def _write(self, values: dict[str, float], step: int) -> None:
        if self._writer is None:
            return
        try:
            for tag, value in values.items():
                self._writer.add_scalar(tag, value, step)
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._writer = None
        get_logger().warning(
            "%s stopped (%s: %s); the run continues without it",
            self.title,
            type(error).__name__,
            error,
        )


class TensorBoardLog(VisualDLLog):
    """The same for TensorBoard, by tensorboardX, which needs neither TensorFlow nor PyTorch."""

    title: ClassVar[str] = "TensorBoard"

    def _open(self) -> Any:
        """Make the writer."""
        writers = import_optional("tensorboardX", "tensorboardX", "tensorboard")
        return writers.SummaryWriter(str(self.folder))
