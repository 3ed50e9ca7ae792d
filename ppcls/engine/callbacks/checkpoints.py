"""Checkpoints during training: when they are saved, and under which names."""

from __future__ import annotations

import errno
import queue
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ppcls.engine import checkpoint, processes
from ppcls.engine.meters import over_all_processes
from ppcls.engine.trainer import Callback, Trainer
from ppcls.untrusted.weights_paths import BEST_MODEL, LATEST
from ppcls.utils.errors import UserError
from ppcls.utils.logging import get_logger, on_console
from ppcls.utils.threads import RunningThread

Job = Callable[[], None]
_SECONDS_BETWEEN_LOOKS = 0.1


class Background:
    """Runs jobs beside the training loop: in one thread, each after the one before, none lost.

    What a job raises, the next call here raises.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._thread: RunningThread | None = None
        self._pending = 0

    def start(self) -> None:
        """Start the thread, if it is not running; without one, jobs run where they are submitted."""
        if self._thread is None:
            with suppress(RuntimeError):  # the system gives no more threads
                self._thread = RunningThread(self._run)

    def submit(self, job: Job) -> None:
        """Start a job once the one before has ended."""
        self.wait()
        self.start()
        self._pending = 1
        if self._thread is None:
            self._results.put(_error_of(job))
        else:
            self._jobs.put(job)

    def wait(self) -> None:
        """Return when nothing runs.

        Raises:
            BaseException: what the job has raised.
        """
        error = None
        if self._pending:
            self._pending = 0
            error = self._next_result()
        if error is not None:
            raise error

    def _next_result(self) -> BaseException | None:
        """What the job in progress raises, or that its thread died outside of the job for want of memory."""
        while True:
            is_alive = self._thread is not None and self._thread.is_alive()
            with suppress(queue.Empty):
                return self._results.get(is_alive, _SECONDS_BETWEEN_LOOKS)
            if not is_alive:
                self._thread = None
                return MemoryError("the thread of the checkpoints died")

    def close(self) -> None:
        """End the thread; the job in progress comes to its end."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._results.put(_error_of(job))


def _error_of(job: Job) -> BaseException | None:
    """What a job raises; handed to the thread that asked."""
    try:
        job()
    except BaseException as error:
        return error
    return None


@dataclass
class SaveCheckpoints(Callback):
    """Saves `latest` at every epoch's end, every so many steps or minutes, and when a signal ends the run.

    `best_model` follows the best evaluation; `epoch_N` (N epochs trained) is kept every `interval_epochs` epochs,
    the newest `keep` of them (None: all). The state is copied between two steps and written beside the next ones; one
    with a NaN or an infinity is refused. Of several processes the first writes.
    """

    output: Path
    interval_epochs: int
    interval_steps: int | None
    keep: int | None
    # What else the states file records of the run: seed, threads, class names, ...
    facts: dict[str, Any]
    # What the file of weights itself has to remember
    record: dict[str, Any] | None = None
    # Also save when an epoch's steps are done, so that a failing evaluation does not lose them
    before_evaluation: bool = False
    interval_minutes: float | None = None
    on_error: str = "stop"  # or "continue", where a checkpoint cannot be written
    deployed: str = "weights"  # or "average"
    _background: Background = field(default_factory=Background)
    _disk: int | None = None  # the number of the device that the run's folder is on
    _saved_at: float = 0.0
    _due: bool = False
    # Why the newest checkpoint could not be written, if it could not
    _lost: str | None = None
    _best_submitted: dict[str, Any] = field(default_factory=dict)
    _best_on_disk: dict[str, Any] = field(default_factory=dict)

    def train_begin(self, trainer: Trainer) -> None:
        """Finish what a killed process began; the minutes count from here."""
        self._saved_at = time.monotonic()
        self._best_submitted = self._best_on_disk = trainer.state.best
        if processes.is_first():
            self._background.start()
            self._disk = _disk_of(self.output) if self.output.is_dir() else None
            checkpoint.recover(self._latest)
            self._retire(trainer.state.epoch)

    def step_end(self, trainer: Trainer) -> None:
        """Save within an epoch, as soon as no accumulated gradients wait for a step."""
        if self.interval_steps and trainer.global_step % self.interval_steps == 0:
            self._due = True
        # Every process must ask, unless all know that a checkpoint is due
        if not self._due:
            self._due = self._minutes_are_over()
        if self._due and trainer.between_groups:
            self._save(trainer)

    def interrupted(self, trainer: Trainer) -> None:
        """Save the state at which the run was stopped."""
        self._save(trainer)
        if self.wait():
            get_logger().info(
                "saved %s at epoch %d, step %d",
                self._latest,
                trainer.state.epoch,
                trainer.state.step,
                extra=on_console(f"saved {self._latest} after {trainer.place}"),
            )

    def epoch_end(self, trainer: Trainer) -> None:
        """Save before the evaluation."""
        if self.before_evaluation:
            self._save(trainer)

    def epoch_closed(self, trainer: Trainer) -> None:
        """Save the end of an epoch, as the best and as a kept epoch too if it is one."""
        done, names = trainer.state.epoch, []
        if trainer.state.best and trainer.state.best["epoch"] == done - 1:
            names.append(self.output / BEST_MODEL)
        if done % self.interval_epochs == 0:
            names.append(self.output / f"epoch_{done}")
        self._save(trainer, names, retire=done)

    def train_end(self, trainer: Trainer) -> None:
        """Wait for the last file."""
        try:
            self.wait()
        finally:
            self._background.close()

    @property
    def _latest(self) -> Path:
        return self.output / LATEST

    def _minutes_are_over(self) -> bool:
        if self.interval_minutes is None:
            return False
        mine = time.monotonic() - self._saved_at >= 60 * self.interval_minutes
        # All save at the same step
        return bool(processes.total([mine and processes.is_first()])[0])

    def _save(
        self, trainer: Trainer, also: Sequence[Path] = (), retire: int | None = None
    ) -> None:
        self._due, self._saved_at = False, time.monotonic()
        self._settle(trainer)
        self._best_submitted = trainer.state.best
        metrics, averages = over_all_processes(trainer.metrics, trainer.averages)
        if not processes.is_first():
            return
        states = {
            "epoch": trainer.state.epoch,
            "step": trainer.state.step,
            "steps_per_epoch": trainer.steps_per_epoch,
            "best": trainer.state.best,
            "averages": averages.state(),
            "metrics": [metric.state() for metric in metrics],
            "precision": trainer.precision.state(),
            "average_steps": trainer.ema.steps if trainer.ema else None,
            **self.facts,
        }
        average = trainer.ema.state() if trainer.ema else None
        taken = checkpoint.snapshot(
            trainer.model,
            trainer.optimizer,
            states,
            average,
            self.deployed,
            self.record,
        )
        self._refuse_what_is_not_finite(trainer, taken)
        self._background.submit(lambda: self._write(taken, also, retire))

    def _settle(self, trainer: Trainer) -> None:
        """Wait for the previous checkpoint. If it is lost, the best is that of `best_model` on the disk."""
        if processes.is_first():
            self.wait()
        if any(processes.gather(self._lost is not None)):
            trainer.state.best = self._best_on_disk
        else:
            self._best_on_disk = self._best_submitted

    def _refuse_what_is_not_finite(
        self, trainer: Trainer, taken: checkpoint.Snapshot
    ) -> None:
        """End the run before a good checkpoint is replaced by one with a NaN or an infinity."""
        name = taken.not_finite()
        if name is not None:
            raise UserError(
                f"{name} holds a NaN or an infinity after {trainer.place}, though "
                f"the loss was finite; {self._latest} stays as it was; lower Optimizer.lr.learning_rate or set "
                "Optimizer.clip_norm_global, and resume"
            )

    def _write(
        self, taken: checkpoint.Snapshot, also: Sequence[Path], retire: int | None
    ) -> None:
        self._require_disk()
        checkpoint.write(self._latest, taken, also)
        self._lost = None
        if retire is not None:
            self._retire(retire)

    def _require_disk(self) -> None:
        """Raise an OSError if the disk was unmounted: its mount point's own folder must not be written to."""
        self.output.mkdir(parents=self._disk is None, exist_ok=True)
        disk = _disk_of(self.output)
        # There after the disk was mounted again
        if self._disk not in (None, disk) and not self._latest.exists():
            raise OSError(
                errno.ENODEV,
                "the disk that the run began on is not mounted there any more",
            )
        self._disk = disk

    def wait(self) -> bool:
        """End the job in progress; log what it could not write, or end the run by it (`on_error`)."""
        try:
            self._background.wait()
            return True
        except (OSError, MemoryError) as error:
            there = checkpoint.verify(self._latest) is None
            kept = "no checkpoint is there"
            if there:
                kept = "the one before it is there still"
            reason, remedy = _reason_and_remedy(error)
            self._lost = f"{self._latest}: cannot be written ({reason}); {kept}"
            if self.on_error == "stop":
                again = "resume" if there else "begin again"
                raise UserError(f"{self._lost}; {remedy} and {again}") from error
            get_logger().warning("%s, and the run continues", self._lost)
            return False

    def require_saved(self) -> None:
        """Check at the end of a run that may continue without checkpoints that the last one was saved.

        Raises:
            UserError: the newest checkpoint could not be written.
        """
        if self._lost is not None:
            raise UserError(
                f"{self._lost}, and the end of the training is lost; make room and {self.remedy()}"
            )

    def remedy(self) -> str:
        """Describe how to continue a run that has ended early."""
        # Only the first process knows: for another one the checkpoint may still be on its way.
        if not processes.is_first() or checkpoint.verify(self._latest) is None:
            return f"resume with -o Global.checkpoints={self._latest}"
        return "train again, because there is no checkpoint to resume from"

    def _retire(self, newest: int) -> None:
        """Delete the kept epochs beyond `keep`; one after `newest` belongs to an earlier run and stays."""
        if self.keep is None:
            return
        kept = []
        for path in self.output.glob("epoch_*"):
            digits = path.name.removeprefix("epoch_")
            if digits.isdecimal() and int(digits) <= newest:
                kept.append(int(digits))
        for number in sorted(kept, reverse=True)[self.keep :]:
            checkpoint.remove(self.output / f"epoch_{number}")


def _reason_and_remedy(error: OSError | MemoryError) -> tuple[str, str]:
    """Why a file could not be written, and what to do about it."""
    if isinstance(error, MemoryError) or error.errno == errno.ENOMEM:
        return "out of memory", "free memory, or lower the batch size,"
    reason = error.strerror or str(error)
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return reason, "raise the limit (ulimit -n)"
    if error.errno in (errno.EACCES, errno.EPERM):
        return reason, "change the permissions"
    return reason, "make room"


def _disk_of(folder: Path) -> int:
    return folder.stat().st_dev
