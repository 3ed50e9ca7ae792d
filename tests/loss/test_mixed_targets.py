"""The loss of a mixed batch of 1,000 classes is the weighted sum of the losses of both of its labels."""

import numpy as np
import paddle
import pytest

from ppcls.data.batch_transforms import Cutmix, Mixup
from ppcls.loss import CELoss

CLASSES = 1000


def cross_entropy(logits, labels, epsilon):
    """By hand, in float64: -sum(target * log softmax) of smoothed labels, one a picture."""
    logits = logits.astype(np.float64)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -(1 - epsilon) * logs[np.arange(len(labels)), labels] - epsilon / CLASSES * logs.sum(axis=1)


@pytest.mark.parametrize("epsilon", [None, 0.1])
@pytest.mark.parametrize("kind", [Mixup, Cutmix])
def test_both_labels_count_by_their_weight(kind, epsilon):
    rng = np.random.default_rng(0)
    images = rng.standard_normal((6, 3, 8, 8), np.float32)
    labels = np.array([0, 999, 17, 17, 500, 3])
    logits = 3 * rng.standard_normal((6, CLASSES), np.float32)
    mixed, targets = kind(alpha=1.0)(images, labels, np.random.default_rng(5), CLASSES)

    drawn = np.random.default_rng(5)
    weight = drawn.beta(1.0, 1.0)
    if kind is Cutmix:
        weight = 1 - (mixed != images).any(axis=(0, 1)).mean()  # what is pasted, counted in the pictures
        drawn.integers(8), drawn.integers(8)
    order = drawn.permutation(6)
    assert 0.05 < weight < 0.95
    both = [cross_entropy(logits, labels[places], epsilon or 0) for places in (np.arange(6), order)]
    expected = (weight * both[0] + (1 - weight) * both[1]).mean()

    loss = CELoss(epsilon=epsilon)(paddle.to_tensor(logits), paddle.to_tensor(targets))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_gradient_is_softmax_less_the_smoothed_target():
    rng = np.random.default_rng(1)
    logits = paddle.to_tensor(rng.standard_normal((4, CLASSES), np.float32), stop_gradient=False)
    _, targets = Mixup(alpha=1.0)(np.zeros((4, 3, 2, 2), np.float32), np.array([5, 6, 7, 999]), rng, CLASSES)
    CELoss(epsilon=0.1)(logits, paddle.to_tensor(targets)).backward()
    scores = np.exp(logits.numpy().astype(np.float64))
    expected = (scores / scores.sum(axis=1, keepdims=True) - 0.9 * targets - 0.1 / CLASSES) / 4
    assert np.abs(logits.grad.numpy() - expected).max() < 1e-7
