"""Fmix: masks whose pixels are counted, and waves that are written down a second time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import pattern
from ppcls.data.batch_transforms import BATCH_TRANSFORMS, Fmix, Mixup, OpSampler, brightest, low_frequencies


class Drawn:
    """A generator that hands out prepared numbers."""

    def __init__(self, normal=None, random: float = 0.0, beta: float = 0.0, order=()) -> None:
        self._normal, self._random, self._beta, self._order = normal, random, beta, order
        self.asked: list[tuple[float, float]] = []

    def standard_normal(self, shape):
        assert np.shape(self._normal) == shape
        return self._normal

    def random(self) -> float:
        return self._random

    def beta(self, a: float, b: float) -> float:
        self.asked.append((a, b))
        return self._beta

    def permutation(self, count: int):
        assert count == len(self._order)
        return np.array(self._order)


def one_wave(height: int, width: int, row: int, column: int, real: float = 1.0) -> np.ndarray:
    """Normal numbers that are 0 but for one frequency."""
    numbers = np.zeros((2, height, width // 2 + 1))
    numbers[0, row, column] = real
    return numbers


@pytest.mark.parametrize("decay_power", [0, 1, 3])
def test_one_frequency_is_one_wave(decay_power: float) -> None:
    """Amplitude 1 over the frequency to that power, 1/4 here, twice for the conjugate, over 8 * 8 pixels."""
    waves = low_frequencies(8, 8, decay_power, Drawn(one_wave(8, 8, 0, 2)))
    expected = 2 * 4**decay_power / 64 * np.cos(2 * np.pi * 2 * np.arange(8) / 8)
    assert np.allclose(waves, np.tile(expected, (8, 1)))


def test_frequencies_are_those_of_both_axes_and_at_least_one_period() -> None:
    diagonal = low_frequencies(8, 8, 2, Drawn(one_wave(8, 8, 1, 1)))
    rows, columns = np.mgrid[:8, :8]
    expected = 2 / 64 / (2 / 64) * np.cos(2 * np.pi * (rows + columns) / 8)
    assert np.allclose(diagonal, expected)
    constant = low_frequencies(4, 8, 1, Drawn(one_wave(4, 8, 0, 0)))
    assert np.allclose(constant, 8 / 32)


def test_the_brightest_share_is_kept() -> None:
    values = np.array([[3.0, 1, 4], [1, 5, 9]])
    assert brightest(values, 0.5, 0, Drawn()).tolist() == [[0, 0, 1], [0, 1, 1]]
    assert brightest(values, 0.4, 0, Drawn(random=0.5)).tolist() == [[0, 0, 0], [0, 1, 1]]
    assert brightest(values, 0.4, 0, Drawn(random=0.49)).tolist() == [[0, 0, 1], [0, 1, 1]]
    assert brightest(values, 0, 0.5, Drawn()).max() == 0 and brightest(values, 1, 0.5, Drawn()).min() == 1


def test_a_soft_edge_falls_evenly() -> None:
    values = -np.arange(8.0).reshape(1, 8)
    assert brightest(values, 0.5, 0.25, Drawn()).tolist() == [pytest.approx([1, 1, 1, 2 / 3, 1 / 3, 0, 0, 0])]
    assert brightest(values, 0.125, 0.5, Drawn()).tolist() == [pytest.approx([1, 0, 0, 0, 0, 0, 0, 0])]
    assert brightest(values, 0.5, 0.5, Drawn())[0] == pytest.approx(np.linspace(1, 0, 8))


def test_pictures_and_targets_are_mixed_by_the_mask() -> None:
    """A wave down the rows, of which the upper and lower three eighths are kept."""
    images = np.stack([np.full((3, 8, 8), value, np.float32) for value in (1, 2, 4)])
    rng = Drawn(one_wave(8, 8, 1, 0), beta=3 / 8, order=[1, 2, 0])
    mixed, targets = Fmix(0.7)(images, np.arange(3), rng, 3)
    assert rng.asked == [(0.7, 0.7)]
    for picture, own, other in zip(mixed, (1, 2, 4), (2, 4, 1)):
        assert picture[0, :, 3].tolist() == [own, own, other, other, other, other, other, own]
    assert targets.tolist() == [[0.375, 0.625, 0], [0, 0.375, 0.625], [0.625, 0, 0.375]]


def test_the_reformulated_share() -> None:
    rng = Drawn(one_wave(8, 8, 1, 0), beta=1, order=[0])
    Fmix(0.7, reformulate=True)(np.zeros((1, 3, 8, 8), np.float32), np.arange(1), rng, 1)
    assert rng.asked == [(1.7, 0.7)]


@given(
    st.builds(Fmix, st.floats(0.1, 5), decay_power=st.floats(0, 5), max_soft=st.floats(0, 0.5)),
    st.integers(1, 5), st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32),
)  # fmt: skip
def test_any_batch(transform, count: int, height: int, width: int, seed: int) -> None:
    images = np.random.default_rng(seed).standard_normal((count, 1, height, width), np.float32)
    kept = images.copy()
    (mixed, targets), again = (transform(images, np.arange(count), np.random.default_rng(seed), 5) for _ in range(2))
    assert np.array_equal(mixed, again[0]) and np.array_equal(targets, again[1])
    assert (mixed.shape, mixed.dtype, targets.dtype) == (images.shape, np.float32, np.float32)
    assert np.allclose(targets.sum(axis=1), 1, atol=1e-6) and targets.min() >= 0
    assert np.array_equal(images, kept)


def test_names_and_the_sampler() -> None:
    assert BATCH_TRANSFORMS["FmixOperator"] is BATCH_TRANSFORMS["Fmix"] is Fmix
    images, rng = np.zeros((2, 3, 8, 8), np.float32), np.random.default_rng(9)
    images[1] = 1
    rng.random()
    expected = Fmix(2.0).mixed(images, np.eye(2, dtype=np.float32), rng)
    result = OpSampler(Mixup(prob=0), FmixOperator=Fmix(2.0))(images, np.arange(2), np.random.default_rng(9), 2)
    assert all(np.array_equal(*pair) for pair in zip(result, expected))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"alpha": 0}, "alpha is 0; write a number above 0"),
        ({"max_soft": 0.6}, "max_soft is 0.6; write a number from 0 to 0.5"),
        ({"decay_power": -1}, "decay_power is -1; write a number of at least 0"),
    ],
)
def test_impossible_keys_are_refused(keys: dict, message: str) -> None:
    with pytest.raises(ValueError, match=pattern(message)):
        Fmix(**keys)
