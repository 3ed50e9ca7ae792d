"""Each optimizer against the same steps written in numpy, in float64."""

import numpy as np
import paddle
import pytest

from ppcls.optimizer import L2, OPTIMIZERS, REGULARIZERS, SGD, AdamW, Constant, Momentum

LR = Constant(0.1)
RATES = [0.1, 0.05, 0.2]


class Model(paddle.nn.Layer):
    """A weight of two axes, one of a single axis, and one that is not trained."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(0)
        for name, shape in (("weight", (3, 2)), ("bias", (2,)), ("frozen", (2,))):
            self.add_parameter(name, self.create_parameter(shape))
            getattr(self, name).set_value(rng.normal(size=shape).astype(np.float32))
        self.frozen.stop_gradient = True
        self.data = paddle.to_tensor(rng.normal(size=(4, 3)).astype(np.float32))

    def forward(self):
        return ((self.data @ self.weight + self.bias * self.frozen) ** 2).sum()

    def gradients(self, weight, bias):
        data, frozen = self.data.numpy().astype(np.float64), self.frozen.numpy().astype(np.float64)
        slope = 2 * (data @ weight + bias * frozen)
        return [data.T @ slope, (slope * frozen).sum(axis=0)]


def steps_of(component, model=None):
    """Weight and bias after three steps by Paddle."""
    model = model or Model()
    optimizer = component.build(0.1, list(model.named_parameters()))
    for rate in RATES:
        optimizer.set_lr(rate)
        model().backward()
        optimizer.step()
        optimizer.clear_grad()
    return [model.weight.numpy(), model.bias.numpy()]


def steps_by_hand(update):
    """The same by `update(lr, step, weight, gradient, memory, index)`, which returns the new weight."""
    model = Model()
    values = [model.weight.numpy().astype(np.float64), model.bias.numpy().astype(np.float64)]
    memory = [{}, {}]
    for step, rate in enumerate(RATES):
        gradients = model.gradients(*values)
        values = [update(rate, step, *row) for row in zip(values, gradients, memory, (0, 1))]
    return values


def momentum_by_hand(momentum=0.0, decay=(0.0, 0.0), nesterov=False):
    def update(lr, step, value, gradient, memory, index):
        gradient = gradient + decay[index] * value
        memory["v"] = momentum * memory.get("v", 0.0) + gradient
        return value - lr * (gradient + momentum * memory["v"] if nesterov else memory["v"])

    return steps_by_hand(update)


def adamw_by_hand(beta1, beta2, epsilon, decay):
    def update(lr, step, value, gradient, memory, index):
        memory["m"] = beta1 * memory.get("m", 0.0) + (1 - beta1) * gradient
        memory["v"] = beta2 * memory.get("v", 0.0) + (1 - beta2) * gradient**2
        mean = memory["m"] / (1 - beta1 ** (step + 1))
        square = memory["v"] / (1 - beta2 ** (step + 1))
        return value - lr * decay[index] * value - lr * mean / (np.sqrt(square) + epsilon)

    return steps_by_hand(update)


CASES = [
    (SGD(LR), lambda: momentum_by_hand()),
    (SGD(LR, L2(0.3)), lambda: momentum_by_hand(decay=(0.3, 0.3))),
    (SGD(LR, L2(0.3), one_dim_param_no_weight_decay=True), lambda: momentum_by_hand(decay=(0.3, 0))),
    (Momentum(LR), lambda: momentum_by_hand(0.9)),
    (Momentum(LR, 0.5), lambda: momentum_by_hand(0.5)),
    (Momentum(LR, regularizer=L2(0.3)), lambda: momentum_by_hand(0.9, (0.3, 0.3))),
    (Momentum(LR, use_nesterov=True, regularizer=L2(0.3)), lambda: momentum_by_hand(0.9, (0.3, 0.3), nesterov=True)),
    (
        Momentum(LR, regularizer=L2(0.3), one_dim_param_no_weight_decay=True),
        lambda: momentum_by_hand(0.9, (0.3, 0)),
    ),
    (AdamW(LR), lambda: adamw_by_hand(0.9, 0.999, 1e-8, (0.01, 0.01))),
    (AdamW(LR, 0.5, 0.7, 0.1, 0.3), lambda: adamw_by_hand(0.5, 0.7, 0.1, (0.3, 0.3))),
    (
        AdamW(LR, weight_decay=0.3, one_dim_param_no_weight_decay=True),
        lambda: adamw_by_hand(0.9, 0.999, 1e-8, (0.3, 0)),
    ),
]


@pytest.mark.parametrize(("component", "by_hand"), CASES, ids=[repr(case[0]).replace(repr(LR), "") for case in CASES])
def test_three_steps_agree_with_numpy(component, by_hand):
    for got, wanted in zip(steps_of(component), by_hand()):
        assert np.abs(got - wanted).max() < 2e-5 * max(1, np.abs(wanted).max())


def test_no_two_cases_agree_by_accident():
    results = [np.concatenate([value.ravel() for value in by_hand()]) for _, by_hand in CASES]
    for index, result in enumerate(results):
        for other in results[:index]:
            assert np.abs(result - other).max() > 1e-3


@pytest.mark.parametrize("component", [SGD(LR), Momentum(LR), AdamW(LR)])
def test_a_second_optimizer_inherits_no_decay(component):
    model = Model()
    Momentum(LR, regularizer=L2(5.0)).build(0.1, list(model.named_parameters()))
    for got, wanted in zip(steps_of(component, model), steps_of(component)):
        assert (got == wanted).all()


@pytest.mark.parametrize("component", [SGD(LR, L2(0.3)), Momentum(LR), AdamW(LR)])
def test_what_is_not_trained_stays(component):
    model = Model()
    before = model.frozen.numpy()
    steps_of(component, model)
    assert (model.frozen.numpy() == before).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Momentum(LR, 1.0), "momentum is 1.0; write a number of at least 0 and below 1, such as 0.9"),
        (lambda: AdamW(LR, beta1=-0.1), "beta1 is -0.1; write a number of at least 0 and below 1, such as 0.9"),
        (lambda: AdamW(LR, beta2=1), "beta2 is 1; write a number of at least 0 and below 1, such as 0.9"),
        (lambda: L2(-1e-4), "coeff is -0.0001; write a number of at least 0, such as 1e-4"),
    ],
)
def test_impossible_values_are_refused(make, message):
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == message


def test_names():
    assert OPTIMIZERS.names() == ["SGD", "Momentum", "AdamW"]
    assert REGULARIZERS.names() == ["L2"]
