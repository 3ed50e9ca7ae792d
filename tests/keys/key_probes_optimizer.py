"""Probes of losses, metrics, optimizers, schedules and regularizers, by their numbers."""

import math
from functools import partial

import numpy as np
import paddle
import pytest
from key_probe import component, probe, probe_each

about = partial(pytest.approx, rel=1e-5)
RATE = {"name": "Constant", "learning_rate": 0.1}
L2 = {"name": "L2", "coeff": 0.5}
# What each schedule cannot do without, so chosen that its rate stays at the first for an epoch.
NEEDED = {
    "Constant": {},
    "Cosine": {},
    "Linear": {},
    "Step": {"step_size": 5},
    "MultiStepDecay": {"milestones": [5]},
    "Piecewise": {"decay_epochs": [5], "gamma": 0.1},
}


def cross_entropy(**keys):
    """The loss of one picture of class 0 at scores of 1/4 and 3/4."""
    logits = paddle.to_tensor([[0.0, math.log(3)]])
    return component("loss", "CELoss", **keys)(logits, paddle.to_tensor([0])).item()


@probe("loss CELoss.weight", (1, about(math.log(4))), (2, about(2 * math.log(4))))
def _weight(lab, value):
    return cross_entropy(weight=value)


@probe("loss CELoss.epsilon", (None, about(math.log(4))), (0.2, about(0.9 * math.log(4) + 0.1 * math.log(4 / 3))))
def _label_smoothing(lab, value):
    return cross_entropy(epsilon=value)


@probe("metric TopkAcc.topk", (1, {"top1": 0.5}), ([2, 3], {"top2": 0.5, "top3": 1.0}))
def _topk(lab, value):
    """The values for two pictures: the class of one comes first, that of the other third."""
    counter = component("metric", "TopkAcc", topk=value).accumulator()
    counter.update(np.array([[3.0, 2, 1, 0], [3, 2, 1, 0]]), np.array([0, 2]))
    return counter.result()


@probe("metric TprAtFpr.max_fpr", (0.0, {"tpr": 0.5}), (0.5, {"tpr": 1.0}))
def _max_fpr(lab, value):
    """Of class 1 one picture scores above both of class 0, one between these."""
    counter = component("metric", "TprAtFpr", max_fpr=value).accumulator()
    counter.update(np.array([[0.0, 4], [0, 2], [0, 3], [0, 1]]), np.array([1, 1, 0, 0]))
    return counter.result()


def moved(name, gradients, **keys):
    """Where a weight of two axes and a bias go from 1, at a rate of 0.1, by these gradients."""
    layer = paddle.nn.Linear(1, 1)
    optimizer = component("optimizer", name, lr=RATE, **keys).build(0.1, list(layer.named_parameters()))
    for parameter in layer.parameters():
        parameter.set_value(paddle.ones_like(parameter))
    for gradient in gradients:
        (gradient * (layer.weight.sum() + layer.bias.sum())).backward()
        optimizer.step()
        optimizer.clear_grad()
    return layer.weight.item(), layer.bias.item()


def both(value):
    """A weight and a bias of the same value."""
    return about((value, value))


@probe_each(
    ("SGD", "Momentum", "RMSProp", "Adam", "AdamW"), "optimizer {}.lr",
    ({"name": "Constant", "learning_rate": 0.05}, [0.05] * 4),
    ({"name": "Linear", "learning_rate": 0.08}, [0.08, 0.06, 0.04, 0.02]),
    path="Optimizer.lr",
)  # fmt: skip
def _lr(lab, name, value):
    return lab.train({"Optimizer": {"name": name, "lr": value}}).rates


@probe_each(("SGD", "Momentum"), "optimizer {}.regularizer", (None, both(0.8)), (L2, both(0.75)))
def _regularizer(lab, name, value):
    return moved(name, [2], regularizer=value)


@probe_each(
    ("SGD", "Momentum"), "optimizer {}.one_dim_param_no_weight_decay",
    (False, both(0.75)), (True, about((0.75, 0.8))),
)  # fmt: skip
def _spared(lab, name, value):
    return moved(name, [2], regularizer=L2, one_dim_param_no_weight_decay=value)


@probe("optimizer Momentum.momentum", (0, both(0.6)), (0.5, both(0.5)))
def _momentum(lab, value):
    return moved("Momentum", [2, 2], momentum=value)


@probe("optimizer Momentum.use_nesterov", (False, both(0.8)), (True, both(0.7)))
def _nesterov(lab, value):
    return moved("Momentum", [2], momentum=0.5, use_nesterov=value)


def adam(gradients, **keys):
    """As `moved`; by default the first step is one of the rate."""
    return moved("AdamW", gradients, **{"weight_decay": 0, "beta1": 0.5, "beta2": 0.5, **keys})


# After gradients g and 0 the mean is b1/(1+b1) g and the mean square b2/(1+b2) g^2, both corrected.
@probe("optimizer AdamW.beta1", (0, both(0.9)), (0.5, both(0.9 - 0.1 * (1 / 3) / math.sqrt(1 / 3))))
def _beta1(lab, value):
    return adam([2, 0], beta1=value)


@probe("optimizer AdamW.beta2", (0.5, both(0.9 - 0.1 * (1 / 3) / math.sqrt(1 / 3))), (0.8, both(0.85)))
def _beta2(lab, value):
    return adam([2, 0], beta2=value)


@probe("optimizer AdamW.epsilon", (1e-8, both(0.9)), (2, both(0.95)))
def _epsilon(lab, value):
    return adam([2], epsilon=value)


@probe("optimizer AdamW.weight_decay", (0, both(0.9)), (0.5, both(0.85)))
def _weight_decay(lab, value):
    return adam([2], weight_decay=value)


@probe("optimizer AdamW.one_dim_param_no_weight_decay", (False, both(0.85)), (True, about((0.85, 0.9))))
def _adam_spared(lab, value):
    return adam([2], weight_decay=0.5, one_dim_param_no_weight_decay=value)


def coupled(gradients, **keys):
    """The same by Adam, in which a gradient of any size is a step of the rate at first."""
    return moved("Adam", gradients, **{"beta1": 0.5, "beta2": 0.5, **keys})


@probe("optimizer Adam.beta1", (0, both(0.9)), (0.5, both(0.9 - 0.1 * (1 / 3) / math.sqrt(1 / 3))))
def _coupled_beta1(lab, value):
    return coupled([2, 0], beta1=value)


@probe("optimizer Adam.beta2", (0.5, both(0.9 - 0.1 * (1 / 3) / math.sqrt(1 / 3))), (0.8, both(0.85)))
def _coupled_beta2(lab, value):
    return coupled([2, 0], beta2=value)


@probe("optimizer Adam.epsilon", (1e-8, both(0.9)), (2, both(0.95)))
def _coupled_epsilon(lab, value):
    return coupled([2], epsilon=value)


@probe("optimizer Adam.regularizer", (None, both(1)), (L2, both(0.9)))
def _coupled_regularizer(lab, value):
    """Without a gradient the decay alone makes a step."""
    return coupled([0], regularizer=value)


@probe("optimizer Adam.weight_decay", (None, both(1)), (0.5, both(0.9)))
def _coupled_weight_decay(lab, value):
    return coupled([0], weight_decay=value)


@probe("optimizer Adam.one_dim_param_no_weight_decay", (False, both(0.9)), (True, about((0.9, 1))))
def _coupled_spared(lab, value):
    return coupled([0], regularizer=L2, one_dim_param_no_weight_decay=value)


@probe("optimizer Adam.no_weight_decay_name", (None, both(0.9)), ("bias", about((0.9, 1))))
def _coupled_spared_by_name(lab, value):
    return coupled([0], regularizer=L2, no_weight_decay_name=value)


@probe_each(("SGD", "Momentum"), "optimizer {}.weight_decay", (None, both(0.8)), (0.5, both(0.75)))
def _short_decay(lab, name, value):
    return moved(name, [2], weight_decay=value)


@probe("regularizer L1.coeff", (0, both(0.8)), (1, both(0.7)), path="optimizer.regularizer.coeff")
def _l1_coeff(lab, value):
    return moved("SGD", [2], regularizer={"name": "L1", "coeff": value})


@probe("regularizer L2.coeff", (0, both(0.8)), (1, both(0.7)), path="optimizer.regularizer.coeff")
def _coeff(lab, value):
    return moved("SGD", [2], regularizer={"name": "L2", "coeff": value})


def rate(name, step, **keys):
    """A schedule's rate at a step of four epochs of ten steps; from 0.1 by default."""
    return component("schedule", name, **{"learning_rate": 0.1, **keys}).lr_at(step, 10, 4)


@probe_each(NEEDED, "schedule {}.learning_rate", (0.1, about(0.1)), (0.2, about(0.2)))
def _learning_rate(lab, name, value):
    return rate(name, 0, **NEEDED[name], learning_rate=value)


@probe_each(NEEDED, "schedule {}.warmup_epoch", (1, about(0.05)), (2.5, about(0.02)))
def _warmup_epoch(lab, name, value):
    return rate(name, 5, **NEEDED[name], warmup_epoch=value)


@probe_each(NEEDED, "schedule {}.warmup_steps", (10, about(0.05)), (20, about(0.025)))
def _warmup_steps(lab, name, value):
    return rate(name, 5, **NEEDED[name], warmup_steps=value)


@probe_each(NEEDED, "schedule {}.warmup_start_lr", (0, about(0.05)), (0.06, about(0.08)))
def _warmup_start_lr(lab, name, value):
    return rate(name, 5, **NEEDED[name], warmup_steps=10, warmup_start_lr=value)


@probe_each(NEEDED, "schedule {}.by_epoch", (False, about(0.05)), (True, about(0)))
def _by_epoch(lab, name, value):
    """In the middle of a warm-up of an epoch, which is still its first rate."""
    return rate(name, 5, **NEEDED[name], warmup_epoch=1, by_epoch=value)


@probe_each(NEEDED, "schedule {}.scale", (None, 1.0), ("linear", 0.25))
def _scale(lab, name, value):
    """What the rate is multiplied by where the batch is 64 and was 256."""
    return component("schedule", name, learning_rate=0.1, **NEEDED[name], scale=value).factor(64, 256)


@probe("schedule Cosine.eta_min", (0, about(0.05)), (0.02, about(0.06)))
def _eta_min(lab, value):
    return rate("Cosine", 20, eta_min=value)


@probe("schedule Linear.end_lr", (0, about(0.05)), (0.02, about(0.06)))
def _end_lr(lab, value):
    return rate("Linear", 20, end_lr=value)


@probe("schedule Linear.power", (1, about(0.05)), (2, about(0.025)))
def _power(lab, value):
    return rate("Linear", 20, power=value)


@probe("schedule Step.step_size", (1, about(0.1 * 0.1**3)), (2, about(0.01)))
def _step_size(lab, value):
    return rate("Step", 30, step_size=value)


@probe("schedule Step.gamma", (0.1, about(0.01)), (0.5, about(0.05)))
def _step_gamma(lab, value):
    return rate("Step", 10, step_size=1, gamma=value)


@probe("schedule MultiStepDecay.milestones", ([1, 2], about(0.001)), ([1, 3], about(0.01)))
def _milestones(lab, value):
    return rate("MultiStepDecay", 20, milestones=value)


@probe("schedule MultiStepDecay.gamma", (0.1, about(0.01)), (0.5, about(0.05)))
def _milestones_gamma(lab, value):
    return rate("MultiStepDecay", 10, milestones=[1], gamma=value)


@probe("schedule Piecewise.decay_epochs", ([1, 2], about(0.025)), ([1, 3], about(0.05)))
def _decay_epochs(lab, value):
    return rate("Piecewise", 20, decay_epochs=value, gamma=0.5)


@probe("schedule Piecewise.values", ([0.1, 0.03], about(0.03)), ([0.1, 0.07], about(0.07)))
def _values(lab, value):
    return rate("Piecewise", 10, decay_epochs=[1], values=value)


@probe("schedule Piecewise.gamma", (0.1, about(0.01)), (0.5, about(0.05)))
def _piecewise_gamma(lab, value):
    return rate("Piecewise", 10, decay_epochs=[1], gamma=value)
