from dataclasses import dataclass
from typing import Any

from ppcls.optimizer.base import (
    OPTIMIZERS,
    NamedParameters,
    Optimizer,
    Regularized,
    without_decay,
)
from ppcls.utils.fields import BelowOne, NonNegativeFloat, PositiveFloat


@OPTIMIZERS.register()
@dataclass(frozen=True)
class SGD(Regularized):
    """Gradient descent on batches: `w -= lr * g`."""

    def build(self, learning_rate: float, named_parameters: NamedParameters) -> Any:
        """As `Optimizer.build`."""
        import paddle

        return paddle.optimizer.SGD(
            learning_rate, self._regularized(named_parameters), grad_clip=self._clip()
        )


@OPTIMIZERS.register()
@dataclass(frozen=True)
class Momentum(Regularized):
    """Gradient descent with momentum: `v = momentum * v + g; w -= lr * v`.

    With `use_nesterov` it is `w -= lr * (g + momentum * v)`.

    Attributes:
        momentum: share of the last step's direction in the next one.
        use_nesterov: whether the gradient counts as that of the point where the momentum leads.
    """

    momentum: BelowOne = 0.9
    use_nesterov: bool = False

    def build(self, learning_rate: float, named_parameters: NamedParameters) -> Any:
        """As `Optimizer.build`."""
        import paddle

        parameters = self._regularized(named_parameters)
        return paddle.optimizer.Momentum(
            learning_rate,
            self.momentum,
            parameters,
            use_nesterov=self.use_nesterov,
            grad_clip=self._clip(),
        )


@OPTIMIZERS.register()
@dataclass(frozen=True)
class RMSProp(Regularized):
    """Steps divided by the root of a mean square (Hinton, "Neural Networks for Machine Learning", lecture 6e).

    `r = rho * r + (1 - rho) * g^2; v = momentum * v + lr * g / sqrt(r + epsilon); w -= v`.

    Attributes:
        momentum: share of the last step in the next one.
        rho: weight of the old mean square in the new one.
        epsilon: what keeps the divisor from 0.
    """

    momentum: BelowOne = 0.0
    rho: BelowOne = 0.95
    epsilon: PositiveFloat = 1e-6

    def build(self, learning_rate: float, named_parameters: NamedParameters) -> Any:
        """As `Optimizer.build`."""
        import paddle

        return paddle.optimizer.RMSProp(
            learning_rate,
            self.rho,
            self.epsilon,
            self.momentum,
            parameters=self._regularized(named_parameters),
            grad_clip=self._clip(),
        )


@OPTIMIZERS.register()
@dataclass(frozen=True)
class Adam(Regularized):
    """Steps by a mean of the gradient over the root of one of its square (Kingma & Ba, "Adam", algorithm 1).

    `m = beta1 * m + (1 - beta1) * g; v = beta2 * v + (1 - beta2) * g^2`, both corrected for their start at 0, and
    `w -= lr * m / (sqrt(v) + epsilon)`. Decay is a part of g, unlike AdamW's.

    Attributes:
        beta1: weight of the old mean gradient in the new one.
        beta2: weight of the old mean square in the new one.
        epsilon: what keeps the divisor from 0.
    """

    beta1: BelowOne = 0.9
    beta2: BelowOne = 0.999
    epsilon: PositiveFloat = 1e-8

    def build(self, learning_rate: float, named_parameters: NamedParameters) -> Any:
        """As `Optimizer.build`."""
        import paddle

        return paddle.optimizer.Adam(
            learning_rate,
            self.beta1,
            self.beta2,
            self.epsilon,
            self._regularized(named_parameters),
            grad_clip=self._clip(),
        )


@OPTIMIZERS.register()
@dataclass(frozen=True)
class AdamW(Optimizer):
    """Adam with the decay apart from the gradient (Loshchilov & Hutter, "Decoupled Weight Decay Regularization").

    A weight that decays loses `lr * weight_decay * w` at every step.

    Attributes:
        beta1: weight of the old mean gradient in the new one.
        beta2: weight of the old mean square in the new one.
        epsilon: what keeps the divisor from 0.
        weight_decay: what is taken off each weight, times the learning rate.
    """

    beta1: BelowOne = 0.9
    beta2: BelowOne = 0.999
    epsilon: PositiveFloat = 1e-8
    weight_decay: NonNegativeFloat = 0.01

    def build(self, learning_rate: float, named_parameters: NamedParameters) -> Any:
        """As `Optimizer.build`."""
        import paddle

        return paddle.optimizer.AdamW(
            learning_rate,
            self.beta1,
            self.beta2,
            self.epsilon,
            without_decay(named_parameters),
            self.weight_decay,
            apply_decay_param_fun=self._decayed(named_parameters).__contains__,
            grad_clip=self._clip(),
        )
