"""Each optimizer against the same steps written in numpy, in float64."""

import numpy as np
import paddle
import pytest

from helpers.messages import refusal
from ppcls.optimizer import L1, L2, OPTIMIZERS, REGULARIZERS, SGD, Adam, AdamW, Constant, Momentum, RMSProp

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


def steps_by_hand(update, clip=list):
    """The same by `update(lr, step, weight, gradient, memory, index)`, which returns the new weight."""
    model = Model()
    values = [model.weight.numpy().astype(np.float64), model.bias.numpy().astype(np.float64)]
    memory = [{}, {}]
    for step, rate in enumerate(RATES):
        gradients = clip(model.gradients(*values))
        values = [update(rate, step, *row) for row in zip(values, gradients, memory, (0, 1))]
    return values


def momentum_by_hand(momentum=0.0, decay=(0.0, 0.0), nesterov=False, clip=list, slope=lambda value: value):
    def update(lr, step, value, gradient, memory, index):
        gradient = gradient + decay[index] * slope(value)
        memory["v"] = momentum * memory.get("v", 0.0) + gradient
        return value - lr * (gradient + momentum * memory["v"] if nesterov else memory["v"])

    return steps_by_hand(update, clip)


def rmsprop_by_hand(momentum, rho, epsilon, decay):
    def update(lr, step, value, gradient, memory, index):
        gradient = gradient + decay[index] * value
        memory["r"] = rho * memory.get("r", 0.0) + (1 - rho) * gradient**2
        memory["v"] = momentum * memory.get("v", 0.0) + lr * gradient / np.sqrt(memory["r"] + epsilon)
        return value - memory["v"]

    return steps_by_hand(update)


def adam_by_hand(beta1, beta2, epsilon, decay, slope=lambda value: value):
    """Adam's decay is a part of the gradient; what follows is AdamW without any."""
    step_of = adam_step(beta1, beta2, epsilon)

    def update(lr, step, value, gradient, memory, index):
        return value - lr * step_of(step, gradient + decay[index] * slope(value), memory)

    return steps_by_hand(update)


def adam_step(beta1, beta2, epsilon):
    def direction(step, gradient, memory):
        memory["m"] = beta1 * memory.get("m", 0.0) + (1 - beta1) * gradient
        memory["v"] = beta2 * memory.get("v", 0.0) + (1 - beta2) * gradient**2
        mean = memory["m"] / (1 - beta1 ** (step + 1))
        square = memory["v"] / (1 - beta2 ** (step + 1))
        return mean / (np.sqrt(square) + epsilon)

    return direction


def adamw_by_hand(beta1, beta2, epsilon, decay, clip=list):
    step_of = adam_step(beta1, beta2, epsilon)

    def update(lr, step, value, gradient, memory, index):
        return value - lr * decay[index] * value - lr * step_of(step, gradient, memory)

    return steps_by_hand(update, clip)


def to_norm(limit):
    """Each gradient scaled to that norm at most."""
    return lambda gradients: [g * min(1, limit / np.sqrt((g**2).sum())) for g in gradients]


def to_common_norm(limit):
    """All of them by one factor, to that common norm at most."""

    def clip(gradients):
        norm = np.sqrt(sum((g**2).sum() for g in gradients))
        return [g * min(1, limit / norm) for g in gradients]

    return clip


def to_value(limit):
    return lambda gradients: [np.clip(g, -limit, limit) for g in gradients]


CASES = [
    (SGD(LR), lambda: momentum_by_hand()),
    (SGD(LR, regularizer=L2(0.3)), lambda: momentum_by_hand(decay=(0.3, 0.3))),
    (SGD(LR, regularizer=L2(0.3), one_dim_param_no_weight_decay=True), lambda: momentum_by_hand(decay=(0.3, 0))),
    (SGD(LR, regularizer=L2(0.3), no_weight_decay_name="weig"), lambda: momentum_by_hand(decay=(0, 0.3))),
    (SGD(LR, clip_norm=1.5), lambda: momentum_by_hand(clip=to_norm(1.5))),
    (SGD(LR, clip_norm_global=1.5), lambda: momentum_by_hand(clip=to_common_norm(1.5))),
    (SGD(LR, clip_value=0.9), lambda: momentum_by_hand(clip=to_value(0.9))),
    (SGD(LR, clip_norm_global=1e6, regularizer=L2(0.7)), lambda: momentum_by_hand(decay=(0.7, 0.7))),
    (Momentum(LR), lambda: momentum_by_hand(0.9)),
    (Momentum(LR, momentum=0.5), lambda: momentum_by_hand(0.5)),
    (Momentum(LR, regularizer=L2(0.3)), lambda: momentum_by_hand(0.9, (0.3, 0.3))),
    (Momentum(LR, use_nesterov=True, regularizer=L2(0.3)), lambda: momentum_by_hand(0.9, (0.3, 0.3), nesterov=True)),
    (
        Momentum(LR, regularizer=L2(0.3), one_dim_param_no_weight_decay=True),
        lambda: momentum_by_hand(0.9, (0.3, 0)),
    ),
    (
        Momentum(LR, regularizer=L2(0.3), one_dim_param_no_weight_decay=True, clip_norm_global=1.5),
        lambda: momentum_by_hand(0.9, (0.3, 0), clip=to_common_norm(1.5)),
    ),
    (Momentum(LR, clip_norm=1.5), lambda: momentum_by_hand(0.9, clip=to_norm(1.5))),
    (Momentum(LR, clip_value=0.9), lambda: momentum_by_hand(0.9, clip=to_value(0.9))),
    (RMSProp(LR), lambda: rmsprop_by_hand(0, 0.95, 1e-6, (0, 0))),
    (RMSProp(LR, momentum=0.9, rho=0.8, epsilon=0.01), lambda: rmsprop_by_hand(0.9, 0.8, 0.01, (0, 0))),
    (
        RMSProp(LR, regularizer=L2(0.3), no_weight_decay_name="bias"),
        lambda: rmsprop_by_hand(0, 0.95, 1e-6, (0.3, 0)),
    ),
    (SGD(LR, weight_decay=0.2), lambda: momentum_by_hand(decay=(0.2, 0.2))),
    (SGD(LR, regularizer=L1(0.3)), lambda: momentum_by_hand(decay=(0.3, 0.3), slope=np.sign)),
    (
        Momentum(LR, weight_decay=0.2, one_dim_param_no_weight_decay=True),
        lambda: momentum_by_hand(0.9, (0.2, 0)),
    ),
    (Momentum(LR, regularizer=L1(0.3)), lambda: momentum_by_hand(0.9, (0.3, 0.3), slope=np.sign)),
    (RMSProp(LR, weight_decay=0.2), lambda: rmsprop_by_hand(0, 0.95, 1e-6, (0.2, 0.2))),
    (Adam(LR), lambda: adam_by_hand(0.9, 0.999, 1e-8, (0, 0))),
    (Adam(LR, beta1=0.5, beta2=0.7, epsilon=0.1, weight_decay=3.0), lambda: adam_by_hand(0.5, 0.7, 0.1, (3, 3))),
    (
        Adam(LR, beta1=0.5, beta2=0.7, epsilon=0.1, regularizer=L2(3.0), no_weight_decay_name="bias"),
        lambda: adam_by_hand(0.5, 0.7, 0.1, (3, 0)),
    ),
    (
        Adam(LR, beta1=0.5, beta2=0.7, epsilon=0.1, regularizer=L1(3.0)),
        lambda: adam_by_hand(0.5, 0.7, 0.1, (3, 3), slope=np.sign),
    ),
    (AdamW(LR), lambda: adamw_by_hand(0.9, 0.999, 1e-8, (0.01, 0.01))),
    (AdamW(LR, beta1=0.5, beta2=0.7, epsilon=0.1, weight_decay=0.3), lambda: adamw_by_hand(0.5, 0.7, 0.1, (0.3, 0.3))),
    (
        AdamW(LR, weight_decay=0.3, one_dim_param_no_weight_decay=True),
        lambda: adamw_by_hand(0.9, 0.999, 1e-8, (0.3, 0)),
    ),
    (
        AdamW(LR, weight_decay=0.3, no_weight_decay_name=" weight ", epsilon=1.0, clip_norm_global=1.5),
        lambda: adamw_by_hand(0.9, 0.999, 1.0, (0, 0.3), to_common_norm(1.5)),
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


def test_a_common_norm_by_numbers():
    """Gradients 3 and 4 are of norm 5: to a norm of 1 they become 0.6 and 0.8, decayed or not."""
    for spared in (False, True):
        one, two = (paddle.create_parameter([1] * axes, "float32") for axes in (2, 1))
        for parameter in (one, two):
            parameter.set_value(paddle.zeros(parameter.shape))
        component = SGD(LR, clip_norm_global=1.0, regularizer=L2(0.5), one_dim_param_no_weight_decay=spared)
        optimizer = component.build(1.0, [("one", one), ("two", two)])
        (3 * one.sum() + 4 * two.sum()).backward()
        optimizer.step()
        assert [one.item(), two.item()] == pytest.approx([-0.6, -0.8])


def test_a_word_that_no_name_holds():
    assert refusal(steps_of, AdamW(LR, no_weight_decay_name="bias norm")) == (
        "Optimizer.no_weight_decay_name: no parameter's name holds 'norm'; write a part of one, such as weight, or "
        "one_dim_param_no_weight_decay: true to spare norms and biases"
    )


@pytest.mark.parametrize("component", [SGD(LR), Momentum(LR), RMSProp(LR), Adam(LR), AdamW(LR)])
def test_a_second_optimizer_inherits_no_decay(component):
    model = Model()
    Momentum(LR, regularizer=L2(5.0)).build(0.1, list(model.named_parameters()))
    for got, wanted in zip(steps_of(component, model), steps_of(component)):
        assert (got == wanted).all()


@pytest.mark.parametrize("component", [SGD(LR, regularizer=L2(0.3)), Momentum(LR, clip_norm_global=1.0), AdamW(LR)])
def test_what_is_not_trained_stays(component):
    model = Model()
    before = model.frozen.numpy()
    steps_of(component, model)
    assert (model.frozen.numpy() == before).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Momentum(LR, momentum=1.0), "momentum is 1.0; write a number of at least 0 and below 1"),
        (lambda: AdamW(LR, beta1=-0.1), "beta1 is -0.1; write a number of at least 0 and below 1"),
        (lambda: AdamW(LR, beta2=1), "beta2 is 1; write a number of at least 0 and below 1"),
        (lambda: RMSProp(LR, rho=1.0), "rho is 1.0; write a number of at least 0 and below 1"),
        (lambda: RMSProp(LR, momentum=2), "momentum is 2; write a number of at least 0 and below 1"),
        (lambda: SGD(LR, clip_value=0.0), "clip_value is 0.0; write a number above 0 or null"),
        (lambda: AdamW(LR, clip_norm=1, clip_value=2), "clip_norm and clip_value are set; write one of them"),
        (
            lambda: Momentum(LR, regularizer=L2(0.1), weight_decay=0.1),
            "weight_decay is set beside regularizer, which alone counts in PaddleClas; remove one of them",
        ),
        (lambda: L1(-1e-4), "coeff is -0.0001; write a number of at least 0"),
        (lambda: L2(-1e-4), "coeff is -0.0001; write a number of at least 0"),
    ],
)
def test_impossible_values_are_refused(make, message):
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == message


def test_names():
    assert OPTIMIZERS.names() == ["SGD", "Momentum", "RMSProp", "Adam", "AdamW"]
    assert REGULARIZERS.names() == ["L2", "L1"]
