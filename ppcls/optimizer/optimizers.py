"""The optimizers, and what all of them share.

`build` makes Paddle's object with the rate of its first step; the training loop then sets the rate of every step by
`set_lr`. So the optimizer holds no schedule and its state is that of the parameters alone. Gradients are clipped
within Paddle's `step`, so after they were accumulated and unscaled, and before the decay is added to them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from ppcls.utils.errors import UserError
from ppcls.utils.fields import (
    BelowOne,
    CheckedFields,
    Component,
    NonNegativeFloat,
    PositiveFloat,
    require,
)
from ppcls.utils.registry import Registry

if TYPE_CHECKING:
    from paddle import Tensor


OPTIMIZERS = Registry("optimizer")
NamedParameters = Sequence[tuple[str, "Tensor"]]
_CLIPS = ("clip_norm", "clip_norm_global", "clip_value")


@dataclass(frozen=True)
class Optimizer(CheckedFields):
    """Keys of every optimizer.

    At most one of three keys clips gradients. `clip_norm_global` scales all of them by the same factor, so that their
    common L2 norm is at most that (Pascanu et al., "On the difficulty of training recurrent neural networks",
    algorithm 1); `clip_norm` does so with each parameter's alone, as PaddleClas does; `clip_value` cuts each entry.

    `one_dim_param_no_weight_decay` leaves parameters of one axis, that is norms and biases, out of the decay;
    `no_weight_decay_name` those whose name in the model holds one of these words, which blanks separate.

    Attributes:
        clip_norm: the largest L2 norm of each parameter's gradient; null for no limit.
        clip_norm_global: the largest L2 norm of all gradients together; null for no limit.
        clip_value: the largest absolute value of a gradient's entry; null for no limit.
        one_dim_param_no_weight_decay: whether norms and biases do not decay.
        no_weight_decay_name: words, separated by blanks; parameters whose names hold one do not decay.
    """

    lr: Annotated[Any, Component("schedule")]
    clip_norm: PositiveFloat | None = None
    clip_norm_global: PositiveFloat | None = None
    clip_value: PositiveFloat | None = None
    one_dim_param_no_weight_decay: bool = False
    no_weight_decay_name: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        clips = [name for name in _CLIPS if getattr(self, name) is not None]
        require(len(clips) <= 1, f"{' and '.join(clips)} are set; write one of them")

    def build(self, learning_rate: float, named_parameters: NamedParameters) -> Any:
        """Paddle's optimizer of the parameters, at its first learning rate; those without a gradient stay.

        Raises:
            UserError: a word of `no_weight_decay_name` is in no parameter's name.
        """
        raise NotImplementedError

    def _clip(self) -> Any:
        from paddle import nn

        if self.clip_norm is not None:
            return nn.ClipGradByNorm(self.clip_norm)
        if self.clip_norm_global is not None:
            return nn.ClipGradByGlobalNorm(self.clip_norm_global)
        if self.clip_value is not None:
            return nn.ClipGradByValue(self.clip_value)
        return None

    def _decayed(self, named_parameters: NamedParameters) -> set[str]:
        """Paddle's names of the parameters that decay."""
        words = (self.no_weight_decay_name or "").split()
        names = [name for name, _ in named_parameters]
        for word in words:
            _check_word(word, names)
        return {
            parameter.name
            for name, parameter in named_parameters
            if not self._is_spared(name, parameter, words)
        }

    def _is_spared(self, name: str, parameter: Any, words: Sequence[str]) -> bool:
        """Whether a parameter does not decay, by one of the words in its name or by its axes."""
        if self.one_dim_param_no_weight_decay and parameter.ndim <= 1:
            return True
        return any(word in name for word in words)


def _check_word(word: str, names: Sequence[str]) -> None:
    """Refuse a word of `no_weight_decay_name` that is in no parameter's name."""
    if not any(word in name for name in names):
        raise UserError(
            f"Optimizer.no_weight_decay_name: no parameter's name holds {word!r}; write a part of one, such as "
            f"{names[0]}, or one_dim_param_no_weight_decay: true to spare norms and biases"
        )


@dataclass(frozen=True)
class Regularized(Optimizer):
    """An optimizer whose decay is a part of the gradient.

    `weight_decay` is the short form of a `regularizer` of L2 with that coefficient.

    Attributes:
        weight_decay: the coefficient of an L2 regularizer, in short; null for none.
    """

    regularizer: Annotated[Any, Component("regularizer")] | None = None
    weight_decay: NonNegativeFloat | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.regularizer is not None and self.weight_decay is not None:
            raise ValueError(
                "weight_decay is set beside regularizer, which alone counts in PaddleClas; remove one of them"
            )

    def _regularized(self, named_parameters: NamedParameters) -> list["Tensor"]:
        """The parameters, each with its decay or none.

        Paddle's groups would do the same, but a group's gradients have a global norm of their own there.
        """
        parameters = without_decay(named_parameters)
        decayed = self._decayed(named_parameters)
        regularizer = self.regularizer
        if self.weight_decay is not None:
            regularizer = L2(self.weight_decay)
        if regularizer is not None:
            decay = regularizer.build()
            for parameter in parameters:
                parameter.regularizer = decay if parameter.name in decayed else None
        return parameters


def without_decay(named_parameters: NamedParameters) -> list["Tensor"]:
    """The parameters; a decay that an earlier optimizer left on them is taken away."""
    parameters = [parameter for _, parameter in named_parameters]
    for parameter in parameters:
        parameter.regularizer = None
    return parameters


REGULARIZERS = Registry("regularizer")


@REGULARIZERS.register()
@dataclass(frozen=True)
class L2(CheckedFields):
    """Adds `coeff * w` to the gradient of every weight w that decays.

    Attributes:
        coeff: how strong it is.
    """

    coeff: NonNegativeFloat

    def build(self) -> Any:
        """Paddle's object for a parameter."""
        import paddle

        return paddle.regularizer.L2Decay(self.coeff)


@REGULARIZERS.register()
@dataclass(frozen=True)
class L1(CheckedFields):
    """Adds `coeff * sign(w)` to the gradient of every weight w that decays.

    Attributes:
        coeff: how strong it is.
    """

    coeff: NonNegativeFloat

    def build(self) -> Any:
        """Paddle's object for a parameter."""
        import paddle

        return paddle.regularizer.L1Decay(self.coeff)


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
