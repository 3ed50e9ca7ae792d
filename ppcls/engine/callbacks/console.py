"""Log lines: those of PaddleClas for files and their readers, short ones and a bar for a console."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NoReturn

from tqdm import tqdm

from ppcls.engine import processes
from ppcls.engine.meters import short_text_of, text_of
from ppcls.engine.trainer import Callback, Trainer
from ppcls.utils.logging import get_logger, on_console


@dataclass
class ConsoleLog(Callback):
    """Log one line every `print_batch_step` steps and one at the end of an epoch.

    Losses and metrics are means over the epoch so far; costs are means since the line before.
    """

    print_batch_step: int
    # Whether a bar shows the steps of a console
    has_bar: bool = False

    def step_end(self, trainer: Trainer) -> None:
        """Log the last step, by its number counted from 0."""
        step = trainer.state.step - 1
        if step % self.print_batch_step == 0:
            values = trainer.values()
            get_logger().info(
                "epoch:%-3d, train step:%-4d, %s, lr: %.6f, %s",
                trainer.state.epoch, step, text_of(values), trainer.optimizer.get_lr(),
                trainer.stopwatch.lap(), extra=on_console(self._short_step(trainer, values)),
            )  # fmt: skip

    def _short_step(self, trainer: Trainer, values: dict[str, float]) -> str | None:
        """The line of a step on a short console; None where a bar shows the steps."""
        if self.has_bar:
            return None
        return (
            f"{epoch_label(trainer)}  step {trainer.state.step}/{trainer.steps_per_epoch}  {short_text_of(values)}  "
            f"lr {trainer.optimizer.get_lr():.4g}"
        )

    def epoch_end(self, trainer: Trainer) -> None:
        """Log the epoch's means, a reader that is too slow, and the pictures that could not be read so far."""
        values, cost = trainer.values(), trainer.stopwatch.total()
        short = (
            f"{epoch_label(trainer)}  train  {short_text_of(values)}  "
            f"lr {trainer.optimizer.get_lr():.4g}  {trainer.stopwatch.short_total()}"
        )
        get_logger().info(
            "END epoch:%-3d train %s,  %s", trainer.state.epoch, text_of(values), cost,
            extra=on_console(short),
        )  # fmt: skip
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


@dataclass
class ProgressBar(Callback):
    """A tqdm bar on standard error, for a terminal; shows the time left of the epoch and of the whole run.

    Attributes:
        style: As `Global.console` has it; epochs are counted as in its lines.
    """

    style: str = "short"
    _bar: tqdm[NoReturn] | None = None
    _begun: float = 0.0
    _steps_before: int = 0

    def train_begin(self, trainer: Trainer) -> None:
        """Note the time and the steps that an earlier part of the run has done."""
        self._begun, self._steps_before = time.monotonic(), trainer.global_step

    def step_end(self, trainer: Trainer) -> None:
        """Move the bar; open one for a new epoch."""
        if self._bar is None:
            label = epoch_label(trainer)
            if self.style == "paddleclas":
                label = f"epoch:{trainer.state.epoch}"
            self._bar = tqdm(
                total=trainer.steps_per_epoch, initial=trainer.state.step - 1, unit="step", leave=False, desc=label,
                dynamic_ncols=True,
                bar_format="{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{remaining} left{postfix}]",
            )  # fmt: skip
        self._bar.set_postfix_str(self._shown(trainer), refresh=False)
        self._bar.update()

    def epoch_end(self, trainer: Trainer) -> None:
        """Close the epoch's bar."""
        self.train_end(trainer)

    def train_end(self, trainer: Trainer) -> None:
        """Close the bar if it is open."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _shown(self, trainer: Trainer) -> str:
        """The time left of the whole run, and the loss of this process's pictures in the epoch so far."""
        done = trainer.global_step - self._steps_before
        left = trainer.epochs * trainer.steps_per_epoch - trainer.global_step
        seconds = (time.monotonic() - self._begun) / done * left
        shown = f"whole run {tqdm.format_interval(seconds)} left"
        loss = trainer.averages.result().get("loss")
        if loss is not None:
            shown += f", loss {loss:.4f}"
        return shown


def epoch_label(trainer: Trainer) -> str:
    """`epoch  3/20`: the epoch that is being trained, counted from 1, in the width of the last one."""
    total = str(trainer.epochs)
    return f"epoch {trainer.state.epoch + 1:{len(total)}}/{total}"
