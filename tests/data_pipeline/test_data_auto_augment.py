from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.pictures import noise
from ppcls.data.transforms import AutoAugment, RandAugment
from ppcls.data.transforms.auto_augment import IMAGENET_POLICY, RAND_AUGMENT_OPERATIONS
from ppcls.data.transforms.operations import OPERATIONS, SIGNED


class Drawn:
    """A generator that hands out prepared numbers."""

    def __init__(self, integers: list, random: list) -> None:
        self._integers, self._random = list(integers), list(random)

    def integers(self, high: int) -> int:
        assert self._integers[0] < high
        return self._integers.pop(0)

    def random(self) -> float:
        return self._random.pop(0)

    @property
    def is_used_up(self) -> bool:
        return not self._integers and not self._random


def applied(picture: np.ndarray, *steps: tuple) -> np.ndarray:
    image = Image.fromarray(picture)
    for name, strength in steps:
        image = OPERATIONS[name](image, strength)
    return np.asarray(image)


def test_the_policy_is_the_papers() -> None:
    assert len(IMAGENET_POLICY) == 25
    assert IMAGENET_POLICY[0] == (("Posterize", 0.4, 8), ("Rotate", 0.6, 9))
    assert IMAGENET_POLICY[12] == (("Equalize", 0.0, 7), ("Equalize", 0.8, 8))
    assert IMAGENET_POLICY[18] == (("ShearX", 0.6, 5), ("Equalize", 1.0, 9))
    assert IMAGENET_POLICY[24] == (("Equalize", 0.8, 8), ("Equalize", 0.6, 3))
    assert Counter(name for pair in IMAGENET_POLICY for name, _, _ in pair) == {
        "Equalize": 17, "Solarize": 7, "Rotate": 6, "Color": 6, "Posterize": 5, "Invert": 3, "Contrast": 2,
        "AutoContrast": 2, "ShearX": 1, "Sharpness": 1,
    }  # fmt: skip
    assert round(sum(probability for pair in IMAGENET_POLICY for _, probability, _ in pair), 6) == 31.0
    assert sum(level for pair in IMAGENET_POLICY for _, _, level in pair) == 287


def test_autoaugment_applies_a_drawn_pair_at_its_levels() -> None:
    picture = noise(20, 16)
    always = AutoAugment()(picture, Drawn([0], [0.39, 0.59, 0.5]))  # posterize; rotate, not turned round
    assert np.array_equal(always, applied(picture, ("Posterize", 8 / 9), ("Rotate", 1.0)))
    other_way = AutoAugment()(picture, Drawn([0], [0.4, 0.59, 0.49]))  # no posterize; rotate, turned round
    assert np.array_equal(other_way, applied(picture, ("Rotate", -1.0)))
    assert np.array_equal(AutoAugment()(picture, Drawn([0], [0.4, 0.6])), picture)
    certain = AutoAugment()(picture, Drawn([14], [0.6, 0.99, 0.7]))  # contrast of 1.0 comes in any case
    assert np.array_equal(certain, applied(picture, ("Contrast", 8 / 9)))


@pytest.mark.parametrize("place", range(25))
def test_every_pair_can_be_drawn(place: int) -> None:
    steps = [(name, level / 9) for name, probability, level in IMAGENET_POLICY[place] if probability]
    random = [0.0] * len(IMAGENET_POLICY[place])  # every operation comes, and those with a direction are turned round
    draws = random + [0.0] * sum(name in SIGNED for name, _ in steps)
    rng = Drawn([place], draws)
    turned = [(name, -strength if name in SIGNED else strength) for name, strength in steps]
    assert np.array_equal(AutoAugment()(noise(20, 16), rng), applied(noise(20, 16), *turned))
    assert rng.is_used_up


def test_randaugment_applies_layers_of_one_magnitude() -> None:
    picture = noise(20, 16)
    rotate, posterize = (RAND_AUGMENT_OPERATIONS.index(name) for name in ("Rotate", "Posterize"))
    rng = Drawn([rotate, posterize, rotate], [0.2, 0.8])
    result = RandAugment(num_layers=3, magnitude=7)(picture, rng)
    assert np.array_equal(result, applied(picture, ("Rotate", -0.7), ("Posterize", 0.7), ("Rotate", 0.7)))
    assert rng.is_used_up


def test_randaugment_draws_the_papers_14_operations_alike() -> None:
    assert len(set(RAND_AUGMENT_OPERATIONS)) == 14
    assert set(OPERATIONS) - set(RAND_AUGMENT_OPERATIONS) == {"Invert"}
    rng = np.random.default_rng(0)
    drawn = Counter(name for _ in range(2800) for name, _ in RandAugment(num_layers=1)._drawn(rng))
    assert set(drawn) == set(RAND_AUGMENT_OPERATIONS) and 150 < min(drawn.values()) <= max(drawn.values()) < 250


def test_defaults_are_paddleclas() -> None:
    assert RandAugment() == RandAugment(2, 5)


@given(
    st.sampled_from([AutoAugment(), RandAugment(), RandAugment(3, 10), RandAugment(1, 0)]),
    st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 30),
)  # fmt: skip
def test_the_same_generator_gives_the_same_bytes(transform, seed: int, width: int, height: int) -> None:
    picture = noise(width, height)
    picture.flags.writeable = False
    first, again = (transform(picture, np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(first, again)
    assert (first.shape, first.dtype) == (picture.shape, np.uint8)


def test_results_vary() -> None:
    for transform in (AutoAugment(), RandAugment()):
        results = {transform(noise(20, 16), np.random.default_rng(seed)).tobytes() for seed in range(50)}
        assert len(results) > 15


def test_mirrored_views_are_taken_as_they_are() -> None:
    picture = noise(20, 16)
    view, whole = picture[:, ::-1], np.ascontiguousarray(picture[:, ::-1])
    results = [RandAugment()(one, np.random.default_rng(4)) for one in (view, whole)]
    assert np.array_equal(*results)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"num_layers": 0}, "num_layers is 0; write a whole number of at least 1"),
        ({"magnitude": -1}, "magnitude is -1; write a number from 0 to 10"),
        ({"magnitude": 10.5}, "magnitude is 10.5; write a number from 0 to 10"),
    ],
)
def test_impossible_keys_are_refused(keys: dict, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        RandAugment(**keys)
    assert str(caught.value) == message


@pytest.mark.parametrize("transform", [AutoAugment, RandAugment])
def test_without_a_generator_nothing_is_drawn(transform: type) -> None:
    with pytest.raises(ValueError, match=f"{transform.__name__} draws at random"):
        transform()(noise(4, 4), None)
