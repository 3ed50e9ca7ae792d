"""Log lines that existing readers of PaddleClas logs understand, and a bar on a terminal."""

from __future__ import annotations

from dataclasses import dataclass

from tqdm import tqdm

from ppcls.engine import processes
from ppcls.engine.meters import text_of
from ppcls.engine.trainer import Callback, Trainer
from ppcls.utils.logging import get_logger


@dataclass
class ConsoleLog(Callback):
    """Log one line every `print_batch_step` steps and one at the end of an epoch.

    Losses and metrics are means over the epoch so far; costs are means since the line before.
    """

    print_batch_step: int

    def step_end(self, trainer: Trainer) -> None:
        """Log the last step, by its number counted from 0."""
        step = trainer.state.step - 1
        if step % self.print_batch_step == 0:
            get_logger().info(
                "epoch:%-3d, train step:%-4d, %s, lr: %.6f, %s",
                trainer.state.epoch, step, text_of(trainer.values()), trainer.optimizer.get_lr(),
                trainer.stopwatch.lap(),
            )  # fmt: skip

    def epoch_end(self, trainer: Trainer) -> None:
        """Log the epoch's means, a reader that is too slow, and the pictures that could not be read so far."""
        text, cost = text_of(trainer.values()), trainer.stopwatch.total()
        get_logger().info(
            "END epoch:%-3d train %s,  %s", trainer.state.epoch, text, cost
        )
        bottleneck = trainer.stopwatch.bottleneck(trainer.loader.num_workers)
        if bottleneck and processes.is_first():
            get_logger().info("%s", bottleneck)
        report_failures(processes.merged(trainer.loader.failures))


def report_failures(failures: dict[str, str], purpose: str = "") -> None:
    """Log every picture that was left out because it cannot be read; `purpose` ends with a blank."""
    if not failures:
        return
    count, verb = f"{len(failures)} pictures", "were"
    if len(failures) == 1:
        count, verb = "1 picture", "was"
    lines = [f"  {path}: {reason}" for path, reason in sorted(failures.items())]
    listed = "\n".join(lines)
    get_logger().warning(
        "%s %scould not be read and %s left out:\n%s", count, purpose, verb, listed
    )


class ProgressBar(Callback):
    """A tqdm bar on standard error, for a terminal; shows the time left in the epoch."""

    _bar: tqdm | None = None

    def step_end(self, trainer: Trainer) -> None:
        """Move the bar; open one for a new epoch."""
        if self._bar is None:
            self._bar = tqdm(
                total=trainer.steps_per_epoch, initial=trainer.state.step - 1, unit="step", leave=False,
                desc=f"epoch {trainer.state.epoch + 1}/{trainer.epochs}", dynamic_ncols=True,
            )  # fmt: skip
        self._bar.update()

    def epoch_end(self, trainer: Trainer) -> None:
        """Close the epoch's bar."""
        self.train_end(trainer)

    def train_end(self, trainer: Trainer) -> None:
        """Close the bar if it is open."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
