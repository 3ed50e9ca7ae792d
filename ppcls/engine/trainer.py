"""The training loop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import paddle

from ppcls.engine import processes
from ppcls.engine.ema import MovingAverage
from ppcls.engine.meters import (
    Averages,
    Stopwatch,
    over_all_processes,
    own_summary,
    summary,
)
from ppcls.engine.precision import Precision, forget_gradients
from ppcls.engine.signals import StoppedBySignal, StopRequest
from ppcls.utils.errors import UserError


class Callback:
    """Observes a run; never changes the mathematics of a step. Every hook gets the trainer."""

    def train_begin(self, trainer: Trainer) -> None:
        """Before the first step of this process."""

    def step_end(self, trainer: Trainer) -> None:
        """After every step, `trainer.state.step` counting it."""

    def epoch_end(self, trainer: Trainer) -> None:
        """After the last step of an epoch, before `trainer.state.epoch` advances."""

    def epoch_closed(self, trainer: Trainer) -> None:
        """After `trainer.state` has moved to the start of the next epoch."""

    def interrupted(self, trainer: Trainer) -> None:
        """Between two steps, when a signal has asked the run to stop."""

    def train_end(self, trainer: Trainer) -> None:
        """However the run ended; for closing what `train_begin` opened."""


@dataclass
class TrainState:
    """Where a run stands. `step` counts the steps done in `epoch`; both start at 0."""

    epoch: int = 0
    step: int = 0
    best: dict[str, Any] = field(default_factory=dict)


@dataclass
class Trainer:
    """Runs epochs of steps.

    One step, in order:

    1. Paddle's generator is seeded from (seed, epoch, step, process), so dropout does not depend on what ran before.
    2. At the first of a group of `update_freq` steps the learning rate is set.
    3. Forward and losses, in the precision of the run.
    4. The processes agree on how many pictures the step has, whether every loss is finite and whether to stop.
       A loss that is not finite ends the run before anything is learnt from it.
    5. Backward. Gradients add up over the steps of a group, each picture weighing the same.
    6. After the last step of a group: gradients of all processes are summed and averaged over the group's pictures;
       optimizer step, gradients cleared, the moving average of the weights updated. A loss scaler leaves the step out
       where gradients overflow; then the average stays too.
    7. Averages and metrics take the batch in; callbacks observe.

    After the last step of an epoch: `epoch_end` of every callback, the state moves on, `epoch_closed`.
    """

    model: Any
    # Name to scalar tensor, `loss` being what is differentiated
    losses: Callable[[Any, Any], dict[str, Any]]
    optimizer: Any
    # Steps of the optimizer since the first one of epoch 0 to learning rate
    lr_at: Callable[[int], float]
    loader: Any
    epochs: int
    seed: int
    metrics: Sequence[Any] = ()
    callbacks: Sequence[Callback] = ()
    state: TrainState = field(default_factory=TrainState)
    stop: StopRequest = field(default_factory=StopRequest)
    averages: Averages = field(default_factory=Averages)
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    update_freq: int = 1
    precision: Precision = field(default_factory=Precision)
    ema: MovingAverage | None = None
    # What takes a batch in place of the whole model, as a head does that is trained on features
    forward: Callable[[Any], Any] | None = None
    # Whether a callback has found that there is nothing more to learn
    finished: bool = False
    _pictures: float = 0.0  # of the group so far, over all processes
    _unit: float = 0.0  # of the group's first step
    _asked: bool = False  # whether some process was asked to stop

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one epoch."""
        return self.loader.steps_per_epoch

    @property
    def global_step(self) -> int:
        """Steps done since the first one of epoch 0."""
        return self.state.epoch * self.steps_per_epoch + self.state.step

    @property
    def place(self) -> str:
        """`step 3 of 90, epoch 2 of 20`: the last step that was done, counted from 1."""
        epoch = min(self.state.epoch + 1, self.epochs)
        return f"step {self.state.step} of {self.steps_per_epoch}, epoch {epoch} of {self.epochs}"

    @property
    def between_groups(self) -> bool:
        """Whether no gradients are waiting for the rest of their group, so that the state is whole."""
        return (
            self.state.step % self.update_freq == 0
            or self.state.step == self.steps_per_epoch
        )

    def fit(self) -> None:
        """Train from `state` to the end of the last epoch.

        Raises:
            StoppedBySignal: SIGINT or SIGTERM arrived and the callbacks have saved.
            UserError: a loss is not finite, or another process has ended.
        """
        with self.stop, processes.peer_failures_reported():
            try:
                self._tell("train_begin")
                while self.state.epoch < self.epochs and not self.finished:
                    self._run_epoch()
            finally:
                self._tell("train_end")

    def values(self) -> dict[str, float]:
        """Metrics and mean losses of the epoch so far, over all processes, which must all call this."""
        return summary(self.metrics, self.averages)

    def own_values(self) -> dict[str, float]:
        """Metrics and mean losses of this process's pictures only."""
        return own_summary(self.metrics, self.averages)

    def exit_if_asked(self) -> None:
        """Let callbacks save and end the run, if any process has received a signal."""
        # Several processes stop only where they have agreed to
        alone_and_asked = processes.world_size() == 1 and self.stop
        if not self._asked and not alone_and_asked:
            return
        self._tell("interrupted")
        raise StoppedBySignal(self.stop.signum or signal.SIGTERM)

    def _run_epoch(self) -> None:
        self.model.train()
        self.stopwatch.start()
        seen = 0.0
        for batch in self.loader.epoch(self.state.epoch, start_step=self.state.step):
            self.stopwatch.read()
            seen += self._step(batch)
            self.state.step += 1
            self.stopwatch.finish(len(batch.index))
            self._tell("step_end")
            if self.between_groups:
                self.exit_if_asked()
            self.stopwatch.resume()
        if not seen and not over_all_processes(self.metrics, self.averages)[1].count:
            raise UserError(
                "not one picture of DataLoader.Train could be read, so nothing was learnt"
            )
        self._tell("epoch_end")
        # An evaluation may have been cut short
        self._asked = any(processes.gather(bool(self.stop)))
        self.exit_if_asked()
        self.state.epoch, self.state.step = self.state.epoch + 1, 0
        self.averages.reset()
        for metric in self.metrics:
            metric.reset()
        self._tell("epoch_closed")

    def _step(self, batch: Any) -> float:
        """Run one step; return its pictures over all processes."""
        paddle.seed(
            step_seed(self.seed, self.state.epoch, self.state.step, processes.rank())
        )
        if self.state.step % self.update_freq == 0:
            group = self.state.epoch * groups(self.steps_per_epoch, self.update_freq)
            self.optimizer.set_lr(
                self.lr_at(group + self.state.step // self.update_freq)
            )
        count, values = len(batch.index), {"loss": 0.0}
        if count:  # every picture of the batch may have been unreadable
            with self.precision.context():
                logits = (self.forward or self.model)(batch.image)
                losses = self.losses(logits, batch.label)
            values = {name: loss.item() for name, loss in losses.items()}
        pictures, total_loss, asked = processes.total(
            [count, values["loss"], bool(self.stop)]
        )
        self._asked = asked > 0
        if not np.isfinite(total_loss):
            self._refuse_loss(values["loss"], batch)
        # Within a group each picture weighs the same; the mean over the group is taken when its sum is known.
        self._unit = self._unit or pictures
        if count:
            loss = losses["loss"]
            if count != self._unit:
                loss = loss * (count / self._unit)
            self.precision.backward(loss)
        self._pictures += pictures
        done = self.state.step + 1
        if done % self.update_freq == 0 or done == self.steps_per_epoch:
            self._learn()
        if count:
            self.averages.update(values, count)
            for metric in self.metrics:
                metric.update(detached(logits), batch.label)
        return pictures

    def _learn(self) -> None:
        """Take the optimizer's step with the gradients of the group."""
        if self._pictures:
            processes.sum_gradients(
                self.model.parameters(), self._unit / self._pictures
            )
            taken = self.precision.step(self.optimizer)
            if self.ema is not None and taken:
                with self.precision.stepped_weights(self.model, self.optimizer):
                    self.ema.update(self.model)
        forget_gradients(self.optimizer)
        self._pictures = self._unit = 0.0

    def _refuse_loss(self, value: float, batch: Any) -> None:
        if np.isfinite(value):
            raise UserError(
                "the loss of another process is not finite; its log names the pictures"
            )
        raise UserError(
            f"the loss is {value} in step {self.state.step + 1} of {self.steps_per_epoch}, epoch "
            f"{self.state.epoch + 1} of {self.epochs}; no step was taken with it; "
            f"lower Optimizer.lr.learning_rate or look at this batch: {', '.join(batch.paths)}"
        )

    def _tell(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)


def detached(logits: Any) -> Any:
    """Logits, or those of several models by name, that no gradient passes through."""
    if isinstance(logits, Mapping):
        return {name: detached(value) for name, value in logits.items()}
    return logits.detach()


def groups(steps: int, update_freq: int) -> int:
    """Steps of the optimizer in an epoch; its last group may be short of steps."""
    return -(-steps // update_freq)


def step_seed(seed: int, epoch: int, step: int, rank: int = 0) -> int:
    """Seed of the generator for one step and process, which depends on nothing else."""
    address = (seed, epoch, step, rank) if rank else (seed, epoch, step)
    return int(np.random.SeedSequence(address).generate_state(1)[0])
