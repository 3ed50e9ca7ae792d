"""The training loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Sequence

import numpy as np

from ppcls.engine.meters import Averages, Stopwatch, summary
from ppcls.engine.signals import Interrupted, StopRequest
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
    best: Dict[str, Any] = field(default_factory=dict)


@dataclass
class Trainer:
    """Runs epochs of steps.

    One step, in order:

    1. Paddle's generator is seeded from (seed, epoch, step), so dropout does not depend on what ran before.
    2. The learning rate of this step is set.
    3. Forward and losses; a loss that is not finite ends the run before a step is taken with it.
    4. Backward, optimizer step, gradients cleared.
    5. Averages and metrics take the batch in; callbacks observe.

    After the last step of an epoch: `epoch_end` of every callback, the state moves on, `epoch_closed`.
    """

    model: Any
    losses: Callable[[Any, Any], Dict[str, Any]]  # name to scalar tensor, `loss` being what is differentiated
    optimizer: Any
    lr_at: Callable[[int], float]  # global step to learning rate
    loader: Any
    epochs: int
    seed: int
    metrics: Sequence[Any] = ()
    callbacks: Sequence[Callback] = ()
    state: TrainState = field(default_factory=TrainState)
    stop: StopRequest = field(default_factory=StopRequest)
    averages: Averages = field(default_factory=Averages)
    stopwatch: Stopwatch = field(default_factory=Stopwatch)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one epoch."""
        return self.loader.steps_per_epoch

    @property
    def global_step(self) -> int:
        """Steps done since the first one of epoch 0."""
        return self.state.epoch * self.steps_per_epoch + self.state.step

    def fit(self) -> None:
        """Trains from `state` to the end of the last epoch.

        Raises:
            Interrupted: SIGINT or SIGTERM arrived and the callbacks have saved.
            UserError: a loss is not finite.
        """
        with self.stop:
            try:
                self._tell("train_begin")
                while self.state.epoch < self.epochs:
                    self._run_epoch()
            finally:
                self._tell("train_end")

    def values(self) -> Dict[str, float]:
        """Metrics and mean losses of the epoch so far, in the order of the log."""
        return summary(self.metrics, self.averages)

    def exit_if_asked(self) -> None:
        """Lets callbacks save and ends the run, if a signal has come."""
        if self.stop.signum is not None:
            self._tell("interrupted")
            raise Interrupted(self.stop.signum)

    def _run_epoch(self) -> None:
        self.model.train()
        self.stopwatch.start()
        for batch in self.loader.epoch(self.state.epoch, start_step=self.state.step):
            self.stopwatch.read()
            if len(batch.index):  # every picture of the batch may have been unreadable
                self._step(batch)
            self.state.step += 1
            self.stopwatch.finish(len(batch.index))
            self._tell("step_end")
            self.exit_if_asked()
            self.stopwatch.resume()
        if not self.averages.count:
            raise UserError("not one picture of DataLoader.Train could be read, so nothing was learnt")
        self._tell("epoch_end")
        self.exit_if_asked()
        self.state.epoch, self.state.step = self.state.epoch + 1, 0
        self.averages.reset()
        for metric in self.metrics:
            metric.reset()
        self._tell("epoch_closed")

    def _step(self, batch: Any) -> None:
        import paddle

        paddle.seed(step_seed(self.seed, self.state.epoch, self.state.step))
        self.optimizer.set_lr(self.lr_at(self.global_step))
        logits = self.model(batch.image)
        losses = self.losses(logits, batch.label)
        values = {name: loss.item() for name, loss in losses.items()}
        if not np.isfinite(values["loss"]):
            self._refuse_loss(values["loss"], batch)
        losses["loss"].backward()
        self.optimizer.step()
        self.optimizer.clear_grad()
        self.averages.update(values, len(batch.index))
        for metric in self.metrics:
            metric.update(logits.detach(), batch.label)

    def _refuse_loss(self, value: float, batch: Any) -> None:
        names: List[str] = [str(self.loader.images.paths[index]) for index in batch.index]
        raise UserError(
            f"the loss is {value} in epoch {self.state.epoch}, step {self.state.step}; no step was taken with it; "
            f"lower Optimizer.lr.learning_rate or look at this batch: {', '.join(names)}"
        )

    def _tell(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)


def step_seed(seed: int, epoch: int, step: int) -> int:
    """The generator's seed of one step: decided by its address alone."""
    return int(np.random.SeedSequence((seed, epoch, step)).generate_state(1)[0])
