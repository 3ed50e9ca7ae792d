"""Losses between models against their formulas in float64, and their gradients against central differences."""

import numpy as np
import paddle
import pytest

from helpers.messages import refusal, says
from ppcls.loss import (
    LOSSES,
    CELoss,
    DistillationCELoss,
    DistillationDMLLoss,
    DistillationGTCELoss,
    DistillationJSDivLoss,
    DistillationKLDivLoss,
    weighted_sum,
)
from ppcls.loss.distillation import js_divergence, kl_divergence, symmetric_kl

RNG = np.random.default_rng(0)
STUDENT, TEACHER, THIRD = (RNG.normal(size=(3, 5)) * 2 for _ in range(3))
LABELS = np.array([4, 0, 2])
PAIRS = [DistillationCELoss, DistillationKLDivLoss, DistillationDMLLoss, DistillationJSDivLoss]


def softmax(logits, temperature=1.0):
    powers = np.exp(logits / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def kl(target, shares):
    return (target * np.log(target / shares)).sum(axis=1).mean()


def softened_kl(student, teacher, temperature=1.0):
    return temperature**2 * kl(softmax(teacher, temperature), softmax(student, temperature))


def half_sum_of_kls(one, other):
    return (softened_kl(one, other) + softened_kl(other, one)) / 2


def jensen_shannon(one, other):
    one, other = softmax(one), softmax(other)
    return (kl(one, (one + other) / 2) + kl(other, (one + other) / 2)) / 2


def cross_entropy(student, teacher, epsilon=0.0):
    target = (1 - epsilon) * softmax(teacher) + epsilon / 5
    return -(target * np.log(softmax(student))).sum(axis=1).mean()


def slope(function, array):
    """Central differences at every entry."""
    result = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        nudge = np.zeros_like(array)
        nudge[place] = 1e-5
        result[place] = (function(array + nudge) - function(array - nudge)) / 2e-5
    return result


def tensor(array):
    return paddle.to_tensor(array, stop_gradient=False)


@pytest.mark.parametrize(
    ("loss", "by_hand"),
    [
        (kl_divergence, softened_kl),
        (lambda one, other: kl_divergence(one, other, 3.0), lambda one, other: softened_kl(one, other, 3.0)),
        (symmetric_kl, half_sum_of_kls),
        (js_divergence, jensen_shannon),
    ],
    ids=["KL", "KL of 3", "symmetric KL", "JS"],
)
def test_divergences_and_their_gradients_on_both_sides(loss, by_hand):
    student, teacher = tensor(STUDENT), tensor(TEACHER)
    value = loss(student, teacher)
    value.backward()
    assert value.shape == []
    assert value.item() == pytest.approx(by_hand(STUDENT, TEACHER), rel=1e-10)
    assert np.abs(student.grad.numpy() - slope(lambda x: by_hand(x, TEACHER), STUDENT)).max() < 1e-8
    assert np.abs(teacher.grad.numpy() - slope(lambda x: by_hand(STUDENT, x), TEACHER)).max() < 1e-8
    assert loss(student, student).item() == pytest.approx(0, abs=1e-12)


def test_divergences_by_numbers():
    """Shares of 1/4, 3/4 and of 1/2, 1/2."""
    one, half = tensor(np.log([[1.0, 3.0]])), tensor(np.zeros((1, 2)))
    assert kl_divergence(one, half).item() == pytest.approx(0.5 * np.log(4 / 3))
    assert kl_divergence(half, one).item() == pytest.approx(0.75 * np.log(3) - np.log(2))
    assert symmetric_kl(one, half).item() == pytest.approx(np.log(3) / 8)
    assert js_divergence(one, half).item() == pytest.approx(
        (0.25 * np.log(2 / 3) + 0.75 * np.log(6 / 5) + 0.5 * np.log(4 / 3) + 0.5 * np.log(4 / 5)) / 2
    )


def test_certain_opposites_stay_finite():
    one, other = tensor(np.float32([[200, -200]])), tensor(np.float32([[-200, 200]]))
    assert js_divergence(one, other).item() == pytest.approx(np.log(2), rel=1e-6)
    assert symmetric_kl(one, other).item() == 64  # where Paddle's log_softmax cuts off; 400 by the formula
    js_divergence(one, other).backward()
    assert np.isfinite(one.grad.numpy()).all()


CASES = [
    (DistillationCELoss(), cross_entropy),
    (DistillationCELoss(2.0, epsilon=0.1), lambda one, other: 2 * cross_entropy(one, other, 0.1)),
    (DistillationKLDivLoss(), lambda one, other: softened_kl(one, other, 4.0)),
    (DistillationKLDivLoss(0.9, temperature=2.0), lambda one, other: 0.9 * softened_kl(one, other, 2.0)),
    (DistillationDMLLoss(0.5), lambda one, other: 0.5 * half_sum_of_kls(one, other)),
    (DistillationJSDivLoss(3.0), lambda one, other: 3 * jensen_shannon(one, other)),
]


@pytest.mark.parametrize(("loss", "by_hand"), CASES, ids=[repr(case[0]) for case in CASES])
def test_a_loss_of_a_pair(loss, by_hand):
    student, teacher = tensor(STUDENT), tensor(TEACHER)
    value = loss({"Teacher": teacher, "Student": student}, paddle.to_tensor(LABELS))
    value.backward()
    assert value.shape == []
    assert value.item() == pytest.approx(by_hand(STUDENT, TEACHER), rel=1e-10)
    assert np.abs(student.grad.numpy() - slope(lambda x: by_hand(x, TEACHER), STUDENT)).max() < 1e-8
    learns_as_well = isinstance(loss, (DistillationDMLLoss, DistillationJSDivLoss))
    assert (teacher.grad is not None) == learns_as_well


@pytest.mark.parametrize("kind", PAIRS)
def test_a_frozen_teacher_only_teaches(kind):
    student, teacher = tensor(STUDENT), paddle.to_tensor(TEACHER)
    kind()({"Teacher": teacher, "Student": student}).backward()
    assert np.abs(student.grad.numpy()).max() > 0.01
    assert teacher.grad is None


@pytest.mark.parametrize("kind", PAIRS)
def test_several_pairs_are_summed(kind):
    outputs = {"A": tensor(STUDENT), "B": tensor(TEACHER), "C": tensor(THIRD)}
    both = kind(model_name_pairs=(("A", "B"), ("C", "A")))(outputs).item()
    singles = [kind(model_name_pairs=(pair,))(outputs).item() for pair in (("A", "B"), ("C", "A"))]
    assert both == pytest.approx(sum(singles), rel=1e-12)


def test_the_true_classes_for_each_named_model():
    outputs = {"Student": tensor(STUDENT), "Teacher": tensor(TEACHER)}
    labels = paddle.to_tensor(LABELS)
    singles = [CELoss(0.5, 0.1)(outputs[name], labels).item() for name in ("Student", "Teacher")]
    loss = DistillationGTCELoss(0.5, ("Student", "Teacher"), epsilon=0.1)
    assert loss(outputs, labels).item() == pytest.approx(sum(singles), rel=1e-12)
    assert DistillationGTCELoss(0.5, epsilon=0.1)(outputs, labels).item() == singles[0]


def test_a_key_picks_of_several_outputs():
    outputs = {
        "Student": {"logits": tensor(STUDENT), "early": tensor(THIRD)},
        "Teacher": {"logits": tensor(TEACHER), "early": tensor(TEACHER)},
    }
    assert DistillationDMLLoss()(outputs).item() == pytest.approx(half_sum_of_kls(STUDENT, TEACHER))
    assert DistillationDMLLoss(key="early")(outputs).item() == pytest.approx(half_sum_of_kls(THIRD, TEACHER))
    plain = {name: output["logits"] for name, output in outputs.items()}
    assert DistillationDMLLoss(key=None)(plain).item() == pytest.approx(half_sum_of_kls(STUDENT, TEACHER))


def test_several_losses_are_named_for_the_log():
    """PaddleClas's recipe of DML: both models learn the true classes and one another."""
    losses = [DistillationGTCELoss(1.0, ("Student", "Teacher")), DistillationDMLLoss(0.5)]
    outputs = {"Student": tensor(STUDENT), "Teacher": tensor(TEACHER)}
    values = weighted_sum(losses, outputs, paddle.to_tensor(LABELS))
    assert list(values) == ["DistillationGTCELoss", "DistillationDMLLoss", "loss"]
    assert values["DistillationDMLLoss"].item() == pytest.approx(0.5 * half_sum_of_kls(STUDENT, TEACHER))
    assert values["loss"].item() == pytest.approx(
        values["DistillationGTCELoss"].item() + values["DistillationDMLLoss"].item()
    )


@pytest.mark.parametrize(
    ("loss", "outputs", "message"),
    [
        (
            DistillationDMLLoss(), None,
            "a loss of Loss.Train ... one model and no Student; write CELoss",
        ),
        (
            DistillationDMLLoss(model_name_pairs=(("Studnet", "Teacher"),)), {},
            "... Studnet (did you mean Student?), but the models are Student, Teacher; write one",
        ),
        (
            DistillationGTCELoss(key="early"), {},
            "a loss has the key early, but Student ...; write key: logits",
        ),
        (
            DistillationCELoss(), {"Student": {"early": 0, "late": 0}},
            "a loss has the key logits, but Student gives early, late; ...",
        ),
    ],
)  # fmt: skip
def test_outputs_that_are_not_there(loss, outputs, message):
    if outputs is not None:
        outputs = {"Student": tensor(STUDENT), "Teacher": tensor(TEACHER), **outputs}
    else:
        outputs = tensor(STUDENT)
    assert refusal(loss, outputs, paddle.to_tensor(LABELS)) == says(message)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DistillationDMLLoss(0.0), "weight is 0.0; write a number above 0"),
        (lambda: DistillationGTCELoss(-1.0), "weight is -1.0; write a number above 0"),
        (
            lambda: DistillationCELoss(epsilon=1.0),
            "epsilon is 1.0; write ... 0 and below 1 or null",
        ),
        (lambda: DistillationKLDivLoss(temperature=0.0), "temperature is 0.0; write a number above 0"),
        (
            lambda: DistillationJSDivLoss(model_name_pairs=()),
            "model_name_pairs is empty; ... such as [[Student, Teacher]]",
        ),
        (
            lambda: DistillationCELoss(model_name_pairs=(("A", "A"),)),
            "model_name_pairs has A with itself; ... two models, ...",
        ),
        (
            lambda: DistillationGTCELoss(model_names=()),
            "model_names is empty; ... such as [Student]",
        ),
    ],
)
def test_impossible_values_are_refused(make, message):
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == says(message)


def test_names():
    assert [name for name in LOSSES.names() if name.startswith("Distillation")] == [
        "DistillationGTCELoss", "DistillationCELoss", "DistillationKLDivLoss", "DistillationDMLLoss",
        "DistillationJSDivLoss",
    ]  # fmt: skip
