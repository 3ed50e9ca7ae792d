"""Losses over the outputs of several models by their names, as PaddleClas's DistillationModel gives them.

A loss here is called with `{"Teacher": logits, "Student": logits}`; a model with several outputs has a dictionary of
its own in place of the logits, from which `key` picks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ppcls.loss.celoss import LOSSES, CELoss
from ppcls.utils.errors import UserError, expect, suggest
from ppcls.utils.fields import BelowOne, CheckedFields, PositiveFloat, require

if TYPE_CHECKING:
    from paddle import Tensor


Outputs = Mapping[str, Any]


@LOSSES.register()
@dataclass(frozen=True)
class DistillationGTCELoss(CheckedFields):
    """Cross entropy of each of `model_names` with the true classes, summed; `epsilon` smooths as in CELoss.

    Attributes:
        weight: factor of this loss in the sum.
        model_names: the models that learn from the true classes.
        key: the entry of the models' outputs that holds the logits; null where they return nothing else.
        epsilon: label smoothing, as in CELoss; null for none.
    """

    weight: PositiveFloat = 1.0
    model_names: tuple[str, ...] = ("Student",)
    key: str | None = "logits"
    epsilon: BelowOne | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.model_names,
            "model_names is empty; write the names of models, such as [Student]",
        )

    def __call__(self, outputs: Outputs, target: Tensor) -> Tensor:
        """The loss of one batch, times `weight`; `target` is as in CELoss."""
        loss = CELoss(self.weight, self.epsilon)
        return _total(
            loss(_logits_of(outputs, name, self.key), target)
            for name in self.model_names
        )

    @property
    def learners(self) -> tuple[str, ...]:
        """The models that it has gradients for, unless they are frozen."""
        return self.model_names

    def alone(self) -> CELoss:
        """The same of a model that gives its logits alone, where `model_names` has no other."""
        return CELoss(self.weight * len(self.model_names), self.epsilon)


@dataclass(frozen=True)
class PairLoss(CheckedFields):
    """What losses over pairs of models share: the values of all `model_name_pairs` are summed.

    A pair is [Student, Teacher]: the one that learns, and the one that it learns from. Targets are not looked at.

    Attributes:
        weight: factor of this loss in the sum.
        model_name_pairs: pairs of models; the first one of a pair learns from the second.
        key: the entry of the models' outputs that holds the logits; null where they return nothing else.
    """

    weight: PositiveFloat = 1.0
    model_name_pairs: tuple[tuple[str, str], ...] = (("Student", "Teacher"),)
    key: str | None = "logits"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.model_name_pairs,
            "model_name_pairs is empty; write pairs of models, such as [[Student, Teacher]]",
        )
        for first, second in self.model_name_pairs:
            require(
                first != second,
                f"model_name_pairs has {first} with itself; write two models, the one that learns first",
            )

    @property
    def model_names(self) -> tuple[str, ...]:
        """The models whose logits it reads."""
        return tuple(name for pair in self.model_name_pairs for name in pair)

    @property
    def learners(self) -> tuple[str, ...]:
        """The models that it has gradients for, unless they are frozen."""
        return tuple(first for first, _ in self.model_name_pairs)

    def __call__(self, outputs: Outputs, target: Any = None) -> Tensor:
        """The loss of one batch, times `weight`, as a tensor of no axes.

        Raises:
            UserError: the outputs hold no such model, or no such key.
        """
        pairs = [
            [_logits_of(outputs, name, self.key) for name in pair]
            for pair in self.model_name_pairs
        ]
        return self.weight * _total(
            self._between(student, teacher) for student, teacher in pairs
        )

    def _between(self, student: Tensor, teacher: Tensor) -> Tensor:
        raise NotImplementedError


@LOSSES.register()
@dataclass(frozen=True)
class DistillationCELoss(PairLoss):
    """Cross entropy of the student with the teacher's shares, which it does not change.

    `epsilon` smooths these as in CELoss.

    Attributes:
        epsilon: smoothing of the teacher's shares, as in CELoss; null for none.
    """

    epsilon: BelowOne | None = None

    def _between(self, student: Tensor, teacher: Tensor) -> Tensor:
        from paddle.nn import functional as F

        return CELoss(epsilon=self.epsilon)(
            student, F.softmax(teacher.detach(), axis=1)
        )


@LOSSES.register()
@dataclass(frozen=True)
class DistillationKLDivLoss(PairLoss):
    """`kl_divergence` of the student from the teacher, which it does not change, at a `temperature`.

    Attributes:
        temperature: what the logits of both are divided by.
    """

    temperature: PositiveFloat = 4.0

    def _between(self, student: Tensor, teacher: Tensor) -> Tensor:
        return kl_divergence(student, teacher.detach(), self.temperature)


@LOSSES.register()
@dataclass(frozen=True)
class DistillationDMLLoss(PairLoss):
    """`symmetric_kl` of two models, which learn from one another (Zhang et al., "Deep Mutual Learning").

    A teacher whose parameters are frozen only teaches, as in SSLD (Cui et al., "Beyond Self-Supervision").
    """

    @property
    def learners(self) -> tuple[str, ...]:
        """Both of each pair."""
        return self.model_names

    def _between(self, student: Tensor, teacher: Tensor) -> Tensor:
        return symmetric_kl(student, teacher)


@LOSSES.register()
@dataclass(frozen=True)
class DistillationJSDivLoss(PairLoss):
    """`js_divergence` of two models, which learn from one another unless the parameters of one are frozen."""

    @property
    def learners(self) -> tuple[str, ...]:
        """Both of each pair."""
        return self.model_names

    def _between(self, student: Tensor, teacher: Tensor) -> Tensor:
        return js_divergence(student, teacher)


def _total(losses: Any) -> Tensor:
    first, *others = losses
    return sum(others, first)


def _logits_of(outputs: Any, name: str, key: str | None) -> Tensor:
    """A model's logits out of all outputs."""
    expect(
        isinstance(outputs, Mapping),
        f"a loss of Loss.Train compares models by name, but there is one model and no {name}; write CELoss",
    )
    if name not in outputs:
        raise UserError(
            f"a loss names the model {name}{suggest(name, outputs)}, but the models are {', '.join(outputs)}; write one"
        )
    output = outputs[name]
    if not isinstance(output, Mapping):
        if key in (None, "logits"):
            return output
        raise UserError(
            f"a loss has the key {key}, but {name} gives its logits alone; write key: logits"
        )
    expect(
        key in output,
        f"a loss has the key {key}, but {name} gives {', '.join(output)}; write one of these as key",
    )
    return output[key]


# How far apart the class shares of two models are, each the mean over a batch; logits are [N, class_num].
# Every gradient goes to both sides: detach the one that is not to learn.


def kl_divergence(
    logits: Tensor, target_logits: Tensor, temperature: float = 1.0
) -> Tensor:
    """`KL(target || model)` of shares softened by a temperature, times its square.

    The square keeps the size of the gradients whatever the temperature (Hinton et al., "Distilling the Knowledge in a
    Neural Network", section 2).
    """
    from paddle.nn import functional as F

    log_shares = F.log_softmax(logits / temperature, axis=1)
    return temperature**2 * _kl(
        F.log_softmax(target_logits / temperature, axis=1), log_shares
    )


def symmetric_kl(logits: Tensor, other_logits: Tensor) -> Tensor:
    """`(KL(a || b) + KL(b || a)) / 2`: what PaddleClas's documents call the JS divergence of SSLD and DML."""
    return (
        kl_divergence(logits, other_logits) + kl_divergence(other_logits, logits)
    ) / 2


def js_divergence(logits: Tensor, other_logits: Tensor) -> Tensor:
    """`(KL(a || m) + KL(b || m)) / 2` with m the mean of a and b, of Jensen and Shannon.

    It is at most log 2, so a few wild pictures cannot rule a batch (Lin, "Divergence Measures Based on the Shannon
    Entropy", sections III and IV).
    """
    import paddle
    from paddle.nn import functional as F

    first, second = F.log_softmax(logits, axis=1), F.log_softmax(other_logits, axis=1)
    mean = paddle.logaddexp(first, second) - math.log(2)
    return (_kl(first, mean) + _kl(second, mean)) / 2


def _kl(log_target: Tensor, log_shares: Tensor) -> Tensor:
    """`KL(target || shares)`; Paddle's own kl_div gives the target no gradient."""
    return (log_target.exp() * (log_target - log_shares)).sum(axis=1).mean()
