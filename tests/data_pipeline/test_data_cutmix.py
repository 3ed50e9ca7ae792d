from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import says
from ppcls.data.batch_transforms import BATCH_TRANSFORMS, Cutmix, Mixup, OpSampler, cut_box, one_hot
from ppcls.utils.errors import UserError


class Drawn:
    """A generator with prepared integers, beta and permutation."""

    def __init__(self, beta: float, integers: list, order: list) -> None:
        self._beta, self._integers, self._order = beta, list(integers), order
        self.asked: list = []

    def beta(self, *alphas: float) -> float:
        self.asked.append(alphas)
        return self._beta

    def integers(self, high: int) -> int:
        self.asked.append(high)
        return self._integers.pop(0)

    def permutation(self, count: int) -> np.ndarray:
        self.asked.append(count)
        return np.array(self._order)


def constant_pictures(count: int, height: int = 4, width: int = 8) -> np.ndarray:
    """Picture i is i all over."""
    return np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1) * np.ones((1, 3, height, width), np.float32)


def test_a_box_is_pasted_and_counted() -> None:
    # 1 - 0.75 of the area: half of each side, 4 x 2 around column 5 and row 2
    rng = Drawn(0.75, [5, 2], [1, 2, 0])
    mixed, targets = Cutmix(alpha=0.3)(constant_pictures(3), np.array([0, 1, 4]), rng, 5)
    assert rng.asked == [(0.3, 0.3), 8, 4, 3]
    expected = constant_pictures(3)
    expected[:, :, 1:3, 3:7] = constant_pictures(3)[[1, 2, 0], :, 1:3, 3:7]
    assert mixed.dtype == np.float32 and np.array_equal(mixed, expected)
    assert targets.dtype == np.float32
    assert targets.tolist() == [[0.75, 0.25, 0, 0, 0], [0, 0.75, 0, 0, 0.25], [0.25, 0, 0, 0, 0.75]]


def test_targets_follow_the_area_that_the_border_leaves() -> None:
    # the same box around the corner: columns 0 and 1 of 4, the first of 2 rows; 2 of 32 pixels
    mixed, targets = Cutmix()(constant_pictures(2), np.array([0, 1]), Drawn(0.75, [0, 0], [1, 0]), 2)
    assert mixed[0, 0].sum() == 2 and mixed[0, 0, 0, :2].tolist() == [1, 1]
    assert targets.tolist() == [[0.9375, 0.0625], [0.0625, 0.9375]]


def test_a_weight_of_1_pastes_nothing_and_0_everything_in_reach() -> None:
    images = constant_pictures(2)
    same, targets = Cutmix()(images, np.array([0, 1]), Drawn(1.0, [3, 2], [1, 0]), 2)
    assert np.array_equal(same, images) and targets.tolist() == [[1, 0], [0, 1]]
    swapped, targets = Cutmix()(images, np.array([0, 1]), Drawn(0.0, [4, 2], [1, 0]), 2)
    assert np.array_equal(swapped, images[::-1]) and targets.tolist() == [[0, 1], [1, 0]]


sides, weights, seeds = st.integers(1, 300), st.floats(0, 1), st.integers(0, 2**32)


@given(sides, sides, weights, seeds)
def test_boxes_lie_within_the_picture(width: int, height: int, weight: float, seed: int) -> None:
    rows, columns = cut_box(width, height, weight, np.random.default_rng(seed))
    assert 0 <= rows.start <= rows.stop <= height and 0 <= columns.start <= columns.stop <= width
    assert (rows.stop - rows.start) * (columns.stop - columns.start) <= (1 - weight) * width * height * (1 + 1e-9)


samplers = st.tuples(st.floats(0.01, 0.5), st.floats(0, 0.5)).map(
    lambda probs: OpSampler(Mixup(0.8, prob=probs[0]), Cutmix(1.0, prob=probs[1]))
)
transforms = st.one_of(samplers, st.builds(Cutmix, st.floats(0.05, 5)), st.builds(Mixup, st.floats(0.05, 5)))


@given(transforms, st.integers(1, 8), st.integers(1, 9), st.integers(1, 9), seeds)
def test_any_batch(transform, count: int, height: int, width: int, seed: int) -> None:
    labels = np.arange(count) % 3
    images = np.random.default_rng(seed).standard_normal((count, 3, height, width), np.float32)
    kept = images.copy()
    (mixed, targets), again = (transform(images, labels, np.random.default_rng(seed), 3) for _ in range(2))
    assert np.array_equal(mixed, again[0]) and np.array_equal(targets, again[1])
    assert (mixed.shape, mixed.dtype) == (images.shape, np.float32)
    assert (targets.shape, targets.dtype) == ((count, 3), np.float32)
    assert np.allclose(targets.sum(axis=1), 1, atol=1e-6) and targets.min() >= 0
    assert np.array_equal(images, kept) and labels.tolist() == [place % 3 for place in range(count)]


@pytest.mark.parametrize("transform", [Mixup(prob=0), Cutmix(prob=0)])
def test_prob_0_is_the_identity(transform) -> None:
    images, labels = constant_pictures(4), np.array([2, 0, 1, 1])
    for seed in range(20):
        same, targets = transform(images, labels, np.random.default_rng(seed), 3)
        assert np.array_equal(same, images) and np.array_equal(targets, one_hot(labels, 3))


@pytest.mark.parametrize("kind", [Mixup, Cutmix])
def test_prob_is_how_often(kind: type) -> None:
    rng, images = np.random.default_rng(0), constant_pictures(8)
    mixed = [kind(alpha=1, prob=0.3)(images, np.arange(8), rng, 8)[0] is not images for _ in range(1000)]
    assert 260 < sum(mixed) < 340


def test_prob_1_draws_what_is_drawn_without_it() -> None:
    images = constant_pictures(4)
    mixed, targets = Cutmix(prob=1)(images, np.arange(4), np.random.default_rng(3), 4)
    expected = Cutmix().mixed(images, np.eye(4, dtype=np.float32), np.random.default_rng(3))
    assert np.array_equal(mixed, expected[0]) and np.array_equal(targets, expected[1])


def test_the_sampler_chooses_by_prob() -> None:
    sampler, rng = OpSampler(Mixup(alpha=50, prob=0.5), Cutmix(alpha=50, prob=0.2)), np.random.default_rng(0)
    images, seen = np.stack([np.zeros((3, 40, 40), np.float32), np.ones((3, 40, 40), np.float32)]), []
    for _ in range(2000):
        mixed, targets = sampler(images, np.array([0, 1]), rng, 2)
        assert targets.shape == (2, 2)
        kinds = {"stays": mixed is images, "cut": mixed is not images and set(np.unique(mixed)) <= {0, 1}}
        seen.append(next((kind for kind, is_it in kinds.items() if is_it), "mixed"))
    # half of the permutations of two leave them in place; a mixed batch then looks like one that is cut
    assert abs(seen.count("stays") / 2000 - 0.3) < 0.03
    assert abs(seen.count("mixed") / 2000 - 0.25) < 0.03
    assert abs(seen.count("cut") / 2000 - 0.45) < 0.03


def test_the_sampler_does_what_its_operations_do() -> None:
    images, labels, soft = constant_pictures(4), np.arange(4), np.eye(4, dtype=np.float32)
    for sampler, operation in (
        (OpSampler(MixupOperator=Mixup(0.3)), Mixup(0.3)),
        (OpSampler(CutmixOperator=Cutmix(0.3)), Cutmix(0.3)),
    ):
        rng = np.random.default_rng(9)
        rng.random()
        expected = operation.mixed(images, soft, rng)
        result = sampler(images, labels, np.random.default_rng(9), 4)
        assert all(np.array_equal(*pair) for pair in zip(result, expected))


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.9, 0.1), (0.1, 0.9), (0.7, 0.3), (1, 0), (0, 1), (0.2, 0.3)])
def test_sums_up_to_1_are_possible(mixup: float, cutmix: float) -> None:
    OpSampler(Mixup(prob=mixup), Cutmix(prob=cutmix))


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.5, 0.51), (1, 1), (0, 0)])
def test_other_sums_are_not(mixup: float, cutmix: float) -> None:
    with pytest.raises(ValueError) as caught:
        OpSampler(Mixup(prob=mixup), Cutmix(prob=cutmix))
    assert str(caught.value) == says(
        f"... MixupOperator is {mixup} ... CutmixOperator {cutmix} ... sum is above 0 and at most 1"
    )


def test_names_and_keys() -> None:
    assert BATCH_TRANSFORMS["CutmixOperator"] is BATCH_TRANSFORMS["Cutmix"] is Cutmix
    assert (Cutmix().alpha, Mixup().alpha, BATCH_TRANSFORMS["OpSampler"]) == (0.2, 1.0, OpSampler)
    with pytest.raises(ValueError, match=r"prob is 1\.5; write a number from 0 to 1"):
        Cutmix(prob=1.5)
    with pytest.raises(ValueError, match="alpha is 0; write a number above 0"):
        Cutmix(alpha=0)
    for transform in (Cutmix(class_num=10), OpSampler(CutmixOperator=Cutmix(class_num=10))):
        with pytest.raises(UserError, match="Cutmix has class_num 10, the model 5; leave it out of Cutmix"):
            transform(constant_pictures(1), np.array([0]), np.random.default_rng(0), 5)
