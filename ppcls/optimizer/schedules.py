"""Learning rates as pure functions of the step: nothing to save, nothing to restore.

The rate changes at every step, or with `by_epoch` at the start of every epoch. Warm-up is a straight line from
`warmup_start_lr` to the rate at which the decay takes over, so there is no jump between the two. After it, Cosine and
Linear spread their decay over the steps that are left, as PaddleClas does. Piecewise, MultiStepDecay and Step count
epochs from the start of training, so epoch 30 is epoch 30 with warm-up or without; PaddleClas counts from the end of
the warm-up.
"""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ppcls.utils.fields import (
    CheckedFields,
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    require,
)
from ppcls.utils.registry import Registry

SCHEDULES = Registry("schedule")


@dataclass(frozen=True)
class Schedule(CheckedFields):
    """What all schedules share.

    Warm-up is counted in epochs, which may be fractions, or in steps. One that is as long as the training never
    reaches its end. `scale: linear` multiplies the rate by the run's global batch over the recipe's
    (Goyal et al., "Accurate, Large Minibatch SGD", section 2.1).

    `by_epoch` computes the rates as if every epoch were one step, and holds each for its epoch. So with a warm-up the
    first epoch has `warmup_start_lr`.

    Attributes:
        learning_rate: the highest learning rate.
        warmup_epoch: epochs over which the rate rises to the first one.
        warmup_steps: the same in steps; 0 leaves it to `warmup_epoch`.
        warmup_start_lr: the rate at which the warm-up begins.
        scale: `linear` scales the rate by the batch over Global.global_batch; null keeps it.
        by_epoch: whether the rate changes between epochs only.
    """

    learning_rate: PositiveFloat
    warmup_epoch: NonNegativeFloat = 0.0
    warmup_steps: NonNegativeInt = 0
    warmup_start_lr: NonNegativeFloat = 0.0
    scale: Literal["linear"] | None = None
    by_epoch: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warmup_epoch and self.warmup_steps:
            raise ValueError(
                f"warmup_epoch is {self.warmup_epoch} and warmup_steps is {self.warmup_steps}; write one of the two"
            )
        if self.by_epoch and self.warmup_steps:
            raise ValueError(
                f"warmup_steps is {self.warmup_steps}, but by_epoch changes the rate once per epoch; write warmup_epoch"
            )

    def lr_at(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        """The learning rate of a step, counted from 0 at the start of training."""
        if self.by_epoch:
            step, steps_per_epoch = step // steps_per_epoch, 1
        warmup = self.warmup_steps or round(self.warmup_epoch * steps_per_epoch)
        if step >= warmup:
            return self._decayed(step, warmup, steps_per_epoch, epochs)
        end = self._decayed(warmup, warmup, steps_per_epoch, epochs)
        return self.warmup_start_lr + (end - self.warmup_start_lr) * step / warmup

    def factor(self, global_batch: int, recorded_global_batch: int) -> float:
        """What to multiply the rate by when a recipe made for one global batch runs with another."""
        if self.scale == "linear":
            return global_batch / recorded_global_batch
        return 1.0

    def _decayed(
        self, step: int, warmup: int, steps_per_epoch: int, epochs: int
    ) -> float:
        raise NotImplementedError


def _done(step: int, warmup: int, steps_per_epoch: int, epochs: int) -> float:
    """How much of the training after the warm-up is over, from 0 to 1."""
    return min((step - warmup) / max(epochs * steps_per_epoch - warmup, 1), 1.0)


def _check_rising(key: str, epochs: Sequence[int]) -> None:
    require(
        list(epochs) == sorted(set(epochs)),
        f"{key} is {list(epochs)}; write epochs in rising order",
    )


@SCHEDULES.register("Constant", "ConstLR")
@dataclass(frozen=True)
class Constant(Schedule):
    """`learning_rate` throughout."""

    def _decayed(
        self, step: int, warmup: int, steps_per_epoch: int, epochs: int
    ) -> float:
        return self.learning_rate


@SCHEDULES.register()
@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from `learning_rate` to `eta_min` (Loshchilov & Hutter, "SGDR", equation 5, one period).

    Attributes:
        eta_min: the rate at the end.
    """

    eta_min: NonNegativeFloat = 0.0

    def _decayed(
        self, step: int, warmup: int, steps_per_epoch: int, epochs: int
    ) -> float:
        share = (
            1 + math.cos(math.pi * _done(step, warmup, steps_per_epoch, epochs))
        ) / 2
        return self.eta_min + (self.learning_rate - self.eta_min) * share


@SCHEDULES.register("Linear", "Polynomial", "Poly")
@dataclass(frozen=True)
class Linear(Schedule):
    """A straight line from `learning_rate` to `end_lr`, or a curve of the given `power`.

    With t from 0 to 1 over the training after the warm-up: `end_lr + (learning_rate - end_lr) * (1 - t)^power`.

    Attributes:
        end_lr: the rate at the end.
        power: 1 for a straight line; a larger one falls faster at first.
    """

    end_lr: NonNegativeFloat = 0.0
    power: PositiveFloat = 1.0

    def _decayed(
        self, step: int, warmup: int, steps_per_epoch: int, epochs: int
    ) -> float:
        share = (1 - _done(step, warmup, steps_per_epoch, epochs)) ** self.power
        return self.end_lr + (self.learning_rate - self.end_lr) * share


@SCHEDULES.register()
@dataclass(frozen=True)
class Step(Schedule):
    """`learning_rate`, times `gamma` after every `step_size` epochs.

    These may be fractions, of which whole steps count: 2.4 epochs of 10 steps are 24 steps.

    Attributes:
        step_size: epochs between two changes.
        gamma: the factor of each change.
    """

    step_size: PositiveFloat = 30
    gamma: Fraction = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.by_epoch and self.step_size != int(self.step_size):
            raise ValueError(
                f"step_size is {self.step_size}, but by_epoch changes the rate once per epoch; write a whole number"
            )

    def _decayed(
        self, step: int, warmup: int, steps_per_epoch: int, epochs: int
    ) -> float:
        steps = max(int(self.step_size * steps_per_epoch), 1)
        return self.learning_rate * self.gamma ** (step // steps)


@SCHEDULES.register()
@dataclass(frozen=True)
class MultiStepDecay(Schedule):
    """`learning_rate`, times `gamma` at the start of each of the epochs `milestones` (counted from 0).

    Attributes:
        milestones: epochs, counted from 0, at whose start the rate changes.
        gamma: the factor of each change.
    """

    milestones: tuple[PositiveInt, ...] = ()
    gamma: Fraction = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_rising("milestones", self.milestones)
        require(
            self.milestones,
            "milestones is missing; write the epochs at which the rate falls",
        )

    def _decayed(
        self, step: int, warmup: int, steps_per_epoch: int, epochs: int
    ) -> float:
        passed = bisect.bisect_right(self.milestones, step // steps_per_epoch)
        return self.learning_rate * self.gamma**passed


@SCHEDULES.register()
@dataclass(frozen=True)
class Piecewise(Schedule):
    """`values`, going on to the next at the start of each of `decay_epochs` (counted from 0).

    Without `values` they are `learning_rate`, times `gamma` at each of `decay_epochs`. With them `learning_rate` may
    be left out; PaddleClas's files repeat the first value there.

    Attributes:
        learning_rate: the first rate, with `gamma` in place of `values`.
        decay_epochs: epochs, counted from 0, at whose start the next rate holds.
        values: the rates, one more than there are `decay_epochs`.
        gamma: the factor of each change, in place of `values`.
    """

    learning_rate: PositiveFloat | None = None  # type: ignore[assignment]
    decay_epochs: tuple[PositiveInt, ...] = ()
    values: tuple[NonNegativeFloat, ...] | None = None
    gamma: Fraction | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_rising("decay_epochs", self.decay_epochs)
        if self.values is None and (self.learning_rate is None or self.gamma is None):
            raise ValueError(
                "values is missing; write a learning rate for each stretch between decay_epochs"
            )
        if self.values is None:
            return
        require(
            len(self.values) == len(self.decay_epochs) + 1,
            f"values has {len(self.values)} numbers for {len(self.decay_epochs)} decay_epochs; write one more "
            "value than epochs",
        )
        require(
            self.learning_rate in (None, self.values[0]),
            f"learning_rate is {self.learning_rate} and the first of values is {self.values[0]}; make them equal",
        )
        require(
            self.gamma is None,
            "gamma is set beside values, which it would not change; leave one of the two out",
        )

    def _decayed(
        self, step: int, warmup: int, steps_per_epoch: int, epochs: int
    ) -> float:
        stretch = bisect.bisect_right(self.decay_epochs, step // steps_per_epoch)
        if self.values is not None:
            return self.values[stretch]
        assert self.learning_rate is not None and self.gamma is not None
        return self.learning_rate * self.gamma**stretch
