from __future__ import annotations

import numpy as np
import pytest

from ppcls.data.batch_transforms import BATCH_TRANSFORMS, Mixup, one_hot
from ppcls.utils.errors import UserError


def constant_pictures(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1) * np.ones((1, 3, 2, 2), np.float32)


def test_one_weight_and_one_permutation_mix_the_batch() -> None:
    images, labels = constant_pictures(6), np.array([0, 1, 2, 3, 4, 4])
    mixed, targets = Mixup(alpha=0.2)(images, labels, np.random.default_rng(5), 5)
    drawn = np.random.default_rng(5)
    weight, order = np.float32(drawn.beta(0.2, 0.2)), drawn.permutation(6)
    assert mixed.dtype == targets.dtype == np.float32 and targets.shape == (6, 5)
    expected = weight * np.arange(6, dtype=np.float32) + (np.float32(1) - weight) * order.astype(np.float32)
    assert np.array_equal(mixed[:, 1, 0, 1], expected)
    for i in range(6):
        target = np.zeros(5, np.float32)
        target[labels[i]] += weight
        target[labels[order[i]]] += np.float32(1) - weight
        assert np.allclose(targets[i], target, atol=1e-7)
    assert np.allclose(targets.sum(axis=1), 1, atol=1e-6)


def test_soft_targets_stay_soft() -> None:
    soft = np.array([[0.75, 0.25], [0.5, 0.5]], np.float32)
    _, targets = Mixup()(constant_pictures(2), soft, np.random.default_rng(2), 2)
    drawn = np.random.default_rng(2)
    weight, order = np.float32(drawn.beta(1, 1)), drawn.permutation(2)
    assert np.array_equal(targets, weight * soft + (np.float32(1) - weight) * soft[order])


def test_alpha_shapes_the_weights() -> None:
    def weights(alpha: float) -> np.ndarray:
        images = np.array([1, 0], np.float32).reshape(2, 1, 1, 1)
        return np.array(
            [Mixup(alpha)(images, np.array([0, 1]), np.random.default_rng(i), 2)[1].max() for i in range(300)]
        )

    assert np.mean(weights(0.05) > 0.99) > 0.8  # nearly always one of the two
    assert np.mean(weights(50)[weights(50) < 1] < 0.7) > 0.95  # nearly always a half of each


def test_the_input_is_left_alone() -> None:
    images, labels = constant_pictures(4), np.arange(4)
    Mixup()(images, labels, np.random.default_rng(0), 4)
    assert np.array_equal(images, constant_pictures(4)) and labels.tolist() == [0, 1, 2, 3]


def test_names_and_keys() -> None:
    assert BATCH_TRANSFORMS["MixupOperator"] is BATCH_TRANSFORMS["Mixup"] is Mixup
    with pytest.raises(ValueError, match="alpha is 0; write a number above 0"):
        Mixup(alpha=0)
    with pytest.raises(UserError, match="Mixup has class_num 10, the model 5; leave it out of Mixup"):
        Mixup(class_num=10)(constant_pictures(1), np.array([0]), np.random.default_rng(0), 5)
    _, targets = Mixup(class_num=5)(constant_pictures(1), np.array([3]), np.random.default_rng(0), 5)
    assert targets.tolist() == [[0, 0, 0, 1, 0]]


def test_one_hot() -> None:
    assert one_hot(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert one_hot(np.array([], np.int64), 3).shape == (0, 3)
    for label in (-1, 3):
        with pytest.raises(ValueError, match="outside 0 to 2"):
            one_hot(np.array([label]), 3)
