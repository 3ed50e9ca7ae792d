"""Probes of clipping, of what decays, of RMSProp, and of class weights and losses between models, by their numbers."""

import math

import paddle
import pytest
from key_probe import component, probe, probe_each
from key_probes_optimizer import L2, about, adam, both, moved

# Keys, and the rate, by which one step from 0 is a tenth of the gradient: RMSProp, Adam and AdamW divide by its size,
# which a large epsilon outweighs.
PLAIN = {
    "SGD": ({}, 0.1),
    "Momentum": ({"momentum": 0}, 0.1),
    "RMSProp": ({"epsilon": 1e12}, 1e5),
    "Adam": ({"beta1": 0, "beta2": 0, "epsilon": 1e6}, 1e5),
    "AdamW": ({"beta1": 0, "beta2": 0, "epsilon": 1e6, "weight_decay": 0}, 1e5),
}


def clipped(name, **keys):
    """A weight's and a bias's gradients of 3 and 4, after clipping."""
    plain, rate = PLAIN[name]
    optimizer = component("optimizer", name, lr={"name": "Constant", "learning_rate": rate}, **plain, **keys)
    layer = paddle.nn.Linear(1, 1)
    for parameter in layer.parameters():
        parameter.set_value(paddle.zeros_like(parameter))
    optimizer = optimizer.build(rate, list(layer.named_parameters()))
    (3 * layer.weight.sum() + 4 * layer.bias.sum()).backward()
    optimizer.step()
    return -10 * layer.weight.item(), -10 * layer.bias.item()


@probe_each(PLAIN, "optimizer {}.clip_norm", (3.5, about((3, 3.5))), (1, about((1, 1))))
def _clip_norm(lab, name, value):
    return clipped(name, clip_norm=value)


@probe_each(PLAIN, "optimizer {}.clip_norm_global", (10, about((3, 4))), (1, about((0.6, 0.8))))
def _clip_norm_global(lab, name, value):
    return clipped(name, clip_norm_global=value)


@probe_each(PLAIN, "optimizer {}.clip_value", (3.5, about((3, 3.5))), (1, about((1, 1))))
def _clip_value(lab, name, value):
    return clipped(name, clip_value=value)


@probe_each(
    ("SGD", "Momentum"), "optimizer {}.no_weight_decay_name",
    (None, both(0.75)), ("bias", about((0.75, 0.8))),
)  # fmt: skip
def _spared_by_name(lab, name, value):
    return moved(name, [2], regularizer=L2, no_weight_decay_name=value)


@probe("optimizer AdamW.no_weight_decay_name", (None, both(0.85)), ("bias", about((0.85, 0.9))))
def _adam_spared_by_name(lab, value):
    return adam([2], weight_decay=0.5, no_weight_decay_name=value)


def rmsprop(gradients, **keys):
    """As `moved`; by default every step is one of the rate."""
    return moved("RMSProp", gradients, **{"rho": 0, "epsilon": 1e-12, **keys})


@probe("optimizer RMSProp.regularizer", (None, both(1.0)), (L2, both(0.9)))
def _rms_regularizer(lab, value):
    return rmsprop([0], regularizer=value)


@probe("optimizer RMSProp.weight_decay", (None, both(1.0)), (0.5, both(0.9)))
def _rms_weight_decay(lab, value):
    return rmsprop([0], weight_decay=value)


@probe("optimizer RMSProp.one_dim_param_no_weight_decay", (False, both(0.9)), (True, about((0.9, 1.0))))
def _rms_spared(lab, value):
    return rmsprop([0], regularizer=L2, one_dim_param_no_weight_decay=value)


@probe("optimizer RMSProp.no_weight_decay_name", (None, both(0.9)), ("bias", about((0.9, 1.0))))
def _rms_spared_by_name(lab, value):
    return rmsprop([0], regularizer=L2, no_weight_decay_name=value)


@probe("optimizer RMSProp.momentum", (0, both(0.8)), (0.5, both(0.75)))
def _rms_momentum(lab, value):
    return rmsprop([2, 2], momentum=value)


@probe("optimizer RMSProp.rho", (0, both(0.9)), (0.75, both(0.8)))
def _rho(lab, value):
    return rmsprop([2], rho=value)


@probe("optimizer RMSProp.epsilon", (1e-12, both(0.9)), (12, both(0.95)))
def _rms_epsilon(lab, value):
    return rmsprop([2], epsilon=value)


@probe(
    "loss CELoss.class_weights", (None, about(math.log(8) / 2)), ([3, 1], about((3 * math.log(2) + math.log(4)) / 2))
)
def _class_weights(lab, value):
    """Pictures of both classes, at scores of 1/2 and of 1/4 for their own."""
    logits = paddle.to_tensor([[0.0, 0.0], [math.log(3), 0.0]])
    return component("loss", "CELoss", class_weights=value)(logits, paddle.to_tensor([0, 1])).item()


def between(name, **keys):
    """A loss over models whose scores are 1/4 and 3/4, the Teacher 1/2 each; early, all give 1/2. Class 0 is true."""
    even, odd = ([[0.0, value]] for value in (0.0, math.log(3)))
    late = {"Student": odd, "Teacher": even, "Friend": odd}
    outputs = {
        model: {"logits": paddle.to_tensor(logits), "early": paddle.to_tensor(even)} for model, logits in late.items()
    }
    return component("loss", name, **keys)(outputs, paddle.to_tensor([0])).item()


# A loss's value between Student and Teacher, between Student and Friend, and with equal scores.
TO_TEACHER = (math.log(4) + math.log(4 / 3)) / 2
VALUES = {
    "DistillationCELoss": (TO_TEACHER, math.log(4) / 4 + math.log(4 / 3) * 3 / 4, math.log(2)),
    "DistillationKLDivLoss": (math.log(4 / 3) / 2, 0, 0),
    "DistillationDMLLoss": (math.log(3) / 8, 0, 0),
    "DistillationJSDivLoss": (
        (math.log(2 / 3) / 4 + math.log(6 / 5) * 3 / 4 + math.log(4 / 3) / 2 + math.log(4 / 5) / 2) / 2, 0, 0,
    ),
}  # fmt: skip


def probe_pairs(key, first, second, of_first, of_second):
    """Probes a key that all losses over pairs share; `of_first` and `of_second` pick from VALUES what to expect."""
    for name, values in VALUES.items():
        own = {"temperature": 1} if name == "DistillationKLDivLoss" else {}
        expected = (pytest.approx(pick(values), rel=1e-5, abs=1e-7) for pick in (of_first, of_second))
        probe(f"loss {name}.{key}", *zip((first, second), expected))(
            lambda lab, value, name=name, own=own: between(name, **own, **{key: value})
        )


probe_pairs("weight", 1, 2, lambda values: values[0], lambda values: 2 * values[0])
probe_pairs(
    "model_name_pairs", [["Student", "Teacher"]], [["Student", "Friend"]],
    lambda values: values[0], lambda values: values[1],
)  # fmt: skip
probe_pairs("key", "logits", "early", lambda values: values[0], lambda values: values[2])


@probe(
    "loss DistillationCELoss.epsilon",
    (None, about(math.log(4) / 4 + math.log(4 / 3) * 3 / 4)),
    (0.5, about(math.log(4) * 3 / 8 + math.log(4 / 3) * 5 / 8)),
)
def _pair_smoothing(lab, value):
    return between("DistillationCELoss", model_name_pairs=[["Student", "Friend"]], epsilon=value)


@probe("loss DistillationKLDivLoss.temperature", (1, about(math.log(4 / 3) / 2)), (0.5, about(math.log(5 / 3) / 4)))
def _temperature(lab, value):
    """At 1/2 the student's shares are 1/10 and 9/10, and the divergence counts a quarter."""
    return between("DistillationKLDivLoss", temperature=value)


@probe("loss DistillationGTCELoss.weight", (1, about(math.log(4))), (2, about(2 * math.log(4))))
def _true_weight(lab, value):
    return between("DistillationGTCELoss", weight=value)


@probe("loss DistillationGTCELoss.model_names", (["Student"], about(math.log(4))), (["Teacher"], about(math.log(2))))
def _model_names(lab, value):
    return between("DistillationGTCELoss", model_names=value)


@probe("loss DistillationGTCELoss.key", ("logits", about(math.log(4))), ("early", about(math.log(2))))
def _true_key(lab, value):
    return between("DistillationGTCELoss", key=value)


@probe(
    "loss DistillationGTCELoss.epsilon", (None, about(math.log(4))), (1 / 2, about(TO_TEACHER / 2 + math.log(4) / 2))
)
def _true_smoothing(lab, value):
    return between("DistillationGTCELoss", epsilon=value)
