"""Optimizers.

`build` makes Paddle's object with the rate of its first step; the training loop then sets the rate of every step by
`set_lr`. So the optimizer holds no schedule and its state is that of the parameters alone.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional, Sequence, Tuple

from ppcls.utils.fields import Component, NonNegativeFloat, PositiveFloat, Range
from ppcls.utils.registry import Registry

if TYPE_CHECKING:
    from paddle import Tensor
    from paddle.optimizer import Optimizer

OPTIMIZERS = Registry("optimizer")
BelowOne = Annotated[float, Range(low=0, high=1)]
NamedParameters = Sequence[Tuple[str, "Tensor"]]


@OPTIMIZERS.register()
@dataclass(frozen=True)
class SGD:
    """Gradient descent on batches.

    `one_dim_param_no_weight_decay` leaves parameters of one axis, that is norms and biases, out of the decay.
    """

    lr: Annotated[Any, Component("schedule")]
    regularizer: Optional[Annotated[Any, Component("regularizer")]] = None
    one_dim_param_no_weight_decay: bool = False

    def build(self, learning_rate: float, named_parameters: NamedParameters) -> "Optimizer":
        """Paddle's optimizer of the parameters, at its first learning rate; those without a gradient stay."""
        import paddle

        return paddle.optimizer.SGD(learning_rate, _groups(self, named_parameters))


@OPTIMIZERS.register()
@dataclass(frozen=True)
class Momentum:
    """Gradient descent with momentum: `v = momentum * v + g; w -= lr * v`.

    With `use_nesterov` it is `w -= lr * (g + momentum * v)`. `one_dim_param_no_weight_decay` is as in SGD.
    """

    lr: Annotated[Any, Component("schedule")]
    momentum: BelowOne = 0.9
    regularizer: Optional[Annotated[Any, Component("regularizer")]] = None
    use_nesterov: bool = False
    one_dim_param_no_weight_decay: bool = False

    def __post_init__(self) -> None:
        _check_below_one("momentum", self.momentum)

    def build(self, learning_rate: float, named_parameters: NamedParameters) -> "Optimizer":
        """As of SGD."""
        import paddle

        return paddle.optimizer.Momentum(
            learning_rate, self.momentum, _groups(self, named_parameters), use_nesterov=self.use_nesterov
        )


@OPTIMIZERS.register()
@dataclass(frozen=True)
class AdamW:
    """Adam with the decay apart from the gradient (Loshchilov & Hutter, "Decoupled Weight Decay Regularization").

    A weight loses `lr * weight_decay * w` at every step. `one_dim_param_no_weight_decay` is as in SGD.
    """

    lr: Annotated[Any, Component("schedule")]
    beta1: BelowOne = 0.9
    beta2: BelowOne = 0.999
    epsilon: PositiveFloat = 1e-8
    weight_decay: NonNegativeFloat = 0.01
    one_dim_param_no_weight_decay: bool = False

    def __post_init__(self) -> None:
        _check_below_one("beta1", self.beta1)
        _check_below_one("beta2", self.beta2)

    def build(self, learning_rate: float, named_parameters: NamedParameters) -> "Optimizer":
        """As of SGD."""
        import paddle

        parameters = [parameter for _, parameter in named_parameters]
        decayed = {parameter.name for parameter in parameters if self._decays(parameter)}
        return paddle.optimizer.AdamW(
            learning_rate,
            self.beta1,
            self.beta2,
            self.epsilon,
            parameters,
            self.weight_decay,
            apply_decay_param_fun=decayed.__contains__,
        )

    def _decays(self, parameter: "Tensor") -> bool:
        return parameter.ndim > 1 or not self.one_dim_param_no_weight_decay


def _check_below_one(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{name} is {value}; write a number of at least 0 and below 1, such as 0.9")


def _groups(optimizer: Any, named_parameters: NamedParameters) -> List[Dict[str, Any]]:
    """Groups of parameters by their decay. Every one is named, since Paddle keeps a parameter's last one otherwise."""
    import paddle

    decay = optimizer.regularizer and paddle.regularizer.L2Decay(optimizer.regularizer.coeff)
    decayed: List[Any] = []
    spared: List[Any] = []
    for _, parameter in named_parameters:
        is_spared = optimizer.one_dim_param_no_weight_decay and parameter.ndim <= 1
        (spared if is_spared else decayed).append(parameter)
    groups = ({"params": decayed, "weight_decay": decay}, {"params": spared, "weight_decay": None})
    return [group for group in groups if group["params"]]
