import numpy as np
import paddle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.messages import refusal, says
from ppcls.loss import LOSSES, CELoss, weighted_sum

LOGITS = np.array([[2.0, -1.0, 0.5, 0.0], [0.0, 3.0, 3.0, -2.0], [-20.0, 30.0, 0.0, 1.0]], np.float32)
LABELS = np.array([0, 2, 3])
SHARES = np.array([[0.7, 0.3, 0, 0], [0, 0, 1, 0], [0.25, 0.25, 0.25, 0.25]], np.float32)


def cross_entropy(logits, target, epsilon=0.0):
    """By the book, in float64."""
    logits = logits.astype(np.float64)
    shares = target.astype(np.float64) if target.ndim == 2 else np.eye(logits.shape[1])[target]
    shares = (1 - epsilon) * shares + epsilon / logits.shape[1]
    highest = logits.max(axis=1, keepdims=True)
    log_softmax = logits - highest - np.log(np.exp(logits - highest).sum(axis=1, keepdims=True))
    return -(shares * log_softmax).sum(axis=1).mean()


def value(loss, logits=LOGITS, target=LABELS):
    result = loss(paddle.to_tensor(logits), paddle.to_tensor(target))
    assert result.shape == []
    return result.item()


def test_equal_scores_cost_the_logarithm_of_the_number_of_classes():
    assert value(CELoss(), np.zeros((2, 1000), np.float32), np.array([0, 999])) == pytest.approx(np.log(1000), rel=1e-6)


@pytest.mark.parametrize("epsilon", [None, 0.0, 0.1, 0.9])
@pytest.mark.parametrize("target", [LABELS, SHARES], ids=["hard", "soft"])
@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_agrees_with_float64(epsilon, target, weight):
    wanted = weight * cross_entropy(LOGITS, target, epsilon or 0.0)
    assert value(CELoss(weight, epsilon), target=target) == pytest.approx(wanted, rel=1e-6)


@settings(deadline=None, max_examples=50)
@given(data=st.data(), epsilon=st.one_of(st.none(), st.floats(0, 0.99)), soft=st.booleans())
def test_agrees_with_float64_everywhere(data, epsilon, soft):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    pictures, classes = data.draw(st.integers(1, 9)), data.draw(st.integers(2, 12))
    logits = (rng.normal(size=(pictures, classes)) * 5).astype(np.float32)
    target = (
        rng.dirichlet(np.ones(classes), pictures).astype(np.float32) if soft else rng.integers(classes, size=pictures)
    )
    assert value(CELoss(epsilon=epsilon), logits, target) == pytest.approx(
        cross_entropy(logits, target, epsilon or 0.0), rel=1e-5, abs=1e-5
    )


def test_the_gradient_is_softmax_minus_the_smoothed_target():
    logits = paddle.to_tensor(LOGITS, stop_gradient=False)
    CELoss(epsilon=0.1)(logits, paddle.to_tensor(SHARES)).backward()
    softmax = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    wanted = (softmax - (0.9 * SHARES + 0.1 / 4)) / 3
    assert np.abs(logits.grad.numpy() - wanted).max() < 1e-6


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"weight": 0.0}, "weight is 0.0; write a number above 0"),
        ({"epsilon": 1.0}, "epsilon is 1.0; write ... 0 and below 1 or null"),
        ({"class_weights": (1.0, 0.0)}, "class_weights is [1.0, 0.0]; write a list of numbers above 0 or null"),
        ({"epsilon": -0.1}, "epsilon is -0.1; write ... 0 and below 1 or null"),
    ],
)
def test_impossible_values_are_refused(wrong, message):
    with pytest.raises(ValueError) as caught:
        CELoss(**wrong)
    assert str(caught.value) == says(message)


def test_names():
    assert LOSSES["CELoss"] is LOSSES["MixCELoss"] is CELoss


def test_one_loss_is_the_total():
    values = weighted_sum([CELoss(2.0)], paddle.to_tensor(LOGITS), paddle.to_tensor(LABELS))
    assert list(values) == ["loss"]
    assert values["loss"].item() == value(CELoss(2.0))


def test_several_losses_are_named_and_added():
    losses = [CELoss(1.0), CELoss(0.5, epsilon=0.1), CELoss(2.0)]
    values = weighted_sum(losses, paddle.to_tensor(LOGITS), paddle.to_tensor(LABELS))
    assert list(values) == ["CELoss", "CELoss_2", "CELoss_3", "loss"]
    singles = [value(loss) for loss in losses]
    assert [values[name].item() for name in list(values)[:3]] == singles
    assert values["loss"].item() == pytest.approx(sum(singles), rel=1e-6)


def test_no_loss_has_no_values():
    assert weighted_sum([], None, None) == {}


WEIGHTS = (2.0, 0.5, 1.0, 4.0)


def weighted_cross_entropy(logits, target, weights, epsilon=0.0):
    """The definition, in float64."""
    logits, weights = logits.astype(np.float64), np.array(weights)
    shares = target.astype(np.float64) if target.ndim == 2 else np.eye(logits.shape[1])[target]
    log_softmax = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -(weights * ((1 - epsilon) * shares + epsilon / logits.shape[1]) * log_softmax).sum(axis=1).mean()


@pytest.mark.parametrize("epsilon", [None, 0.1])
@pytest.mark.parametrize("target", [LABELS, SHARES], ids=["hard", "soft"])
def test_class_weights_agree_with_float64(epsilon, target):
    wanted = 3 * weighted_cross_entropy(LOGITS, target, WEIGHTS, epsilon or 0.0)
    assert value(CELoss(3.0, epsilon, WEIGHTS), target=target) == pytest.approx(wanted, rel=1e-6)


def test_class_weights_by_numbers():
    """Two pictures that cost log 2 and log 4, of classes that weigh 3 and 1: (3 log 2 + log 4) / 2."""
    logits = np.log(np.float32([[1, 1], [3, 1]]))
    wanted = (3 * np.log(2) + np.log(4)) / 2
    assert value(CELoss(class_weights=(3, 1)), logits, np.array([0, 1])) == pytest.approx(wanted, rel=1e-6)


def test_hard_classes_are_weighed_as_paddle_sums_them():
    ours = value(CELoss(class_weights=WEIGHTS))
    weights = paddle.to_tensor(WEIGHTS, dtype="float32")
    theirs = paddle.nn.functional.cross_entropy(
        paddle.to_tensor(LOGITS), paddle.to_tensor(LABELS), weight=weights, reduction="sum"
    )
    assert ours == pytest.approx(theirs.item() / len(LABELS), rel=1e-6)


@pytest.mark.parametrize("epsilon", [None, 0.1])
@pytest.mark.parametrize("target", [LABELS, SHARES], ids=["hard", "soft"])
def test_the_mean_of_a_batch_is_that_of_its_pictures(target, epsilon):
    loss = CELoss(epsilon=epsilon, class_weights=WEIGHTS)
    singles = [value(loss, LOGITS[i : i + 1], target[i : i + 1]) for i in range(len(LOGITS))]
    assert value(loss, target=target) == pytest.approx(np.mean(singles), rel=1e-6)


@pytest.mark.parametrize("target", [LABELS, SHARES], ids=["hard", "soft"])
@pytest.mark.parametrize("epsilon", [None, 0.1])
def test_equal_class_weights_are_a_factor(target, epsilon):
    with_weights = value(CELoss(epsilon=epsilon, class_weights=(3.0,) * 4), target=target)
    assert with_weights == pytest.approx(3 * value(CELoss(epsilon=epsilon), target=target), rel=1e-6)


def test_the_gradient_of_a_weighted_loss():
    logits = paddle.to_tensor(LOGITS[:2].astype(np.float64), stop_gradient=False)
    CELoss(epsilon=0.1, class_weights=WEIGHTS)(logits, paddle.to_tensor(SHARES[:2])).backward()
    wanted = np.zeros((2, 4))
    for place in np.ndindex(2, 4):
        nudge = np.zeros((2, 4))
        nudge[place] = 1e-5
        ends = [weighted_cross_entropy(LOGITS[:2] + s * nudge, SHARES[:2], WEIGHTS, 0.1) for s in (1, -1)]
        wanted[place] = (ends[0] - ends[1]) / 2e-5
    assert np.abs(logits.grad.numpy() - wanted).max() < 1e-8


def test_a_class_weight_for_each_class():
    assert (
        refusal(value, CELoss(class_weights=(1.0, 2.0))) == "class_weights has 2 numbers for 4 classes; write one each"
    )
