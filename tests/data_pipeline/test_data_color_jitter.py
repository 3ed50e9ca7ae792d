from __future__ import annotations

import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from helpers.pictures import noise
from ppcls.data.transforms import ColorJitter
from ppcls.data.transforms.photometric import turn_hue

NAMES = ("brightness", "contrast", "saturation", "hue")


class Drawn:
    """A generator with a prepared order, that takes the end of every interval."""

    def __init__(self, order: list) -> None:
        self.order = order
        self.asked: list = []

    def random(self) -> float:
        return 0.999

    def permutation(self, names: list) -> list:
        assert sorted(names) == sorted(NAMES)
        return self.order

    def uniform(self, low: float, high: float) -> float:
        self.asked.append((low, high))
        return high


def turned(color: tuple, turn: float) -> tuple:
    return turn_hue(Image.new("RGB", (1, 1), color), turn).getpixel((0, 0))


def test_hues_go_around() -> None:
    red, green, blue = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    assert [turned(color, 1 / 3) for color in (red, green, blue)] == [green, blue, red]
    assert [turned(color, -1 / 3) for color in (red, green, blue)] == [blue, red, green]
    assert turned((90, 90, 90), 0.4) == (90, 90, 90)
    assert turned((200, 100, 100), 1 / 3) == (100, 200, 100)


@given(st.tuples(*[st.integers(0, 255)] * 3), st.floats(-0.5, 0.5))
def test_hues_are_those_of_the_formula(color: tuple, turn: float) -> None:
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in color))
    expected = [255 * channel for channel in colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)]
    # Pillow keeps hue and saturation in 8 bits: a step of the hue is 6 levels of 255, once for each rounding
    assert np.abs(np.subtract(turned(color, turn), expected)).max() <= 14


def test_a_turn_of_less_than_a_step_changes_nothing() -> None:
    picture = Image.fromarray(noise(9, 9))
    assert turn_hue(picture, 0.0019) is picture is turn_hue(picture, -0.0019)
    assert turn_hue(picture, 0.002) is not picture


@pytest.mark.parametrize("order", [["contrast", "brightness"], ["brightness", "contrast"]])
def test_the_four_act_in_the_order_that_is_drawn(order: list) -> None:
    picture, drawn = noise(8, 6), Drawn(["hue", *order, "saturation"])
    result = ColorJitter(brightness=0.4, contrast=0.6)(picture, drawn)
    expected = Image.fromarray(picture)
    for name in order:
        kind, factor = {"brightness": (ImageEnhance.Brightness, 1.4), "contrast": (ImageEnhance.Contrast, 1.6)}[name]
        expected = kind(expected).enhance(factor)
    assert np.array_equal(result, expected)
    bounds = {"brightness": (0.6, 1.4), "contrast": (0.4, 1.6)}
    assert drawn.asked[1:] == [bounds[name] for name in order]


def test_the_two_orders_differ() -> None:
    results = [
        ColorJitter(brightness=0.4, contrast=0.6)(noise(8, 6), Drawn(order)).tobytes()
        for order in (["contrast", "brightness"], ["brightness", "contrast"])
    ]
    assert results[0] != results[1]


def test_saturation_is_color_and_hue_a_part_of_the_circle() -> None:
    picture, drawn = np.uint8([[[200, 100, 50], [255, 0, 0]]]), Drawn(["saturation", "hue"])
    assert ColorJitter(saturation=0.9)(picture, drawn)[0, 0].tolist() == [255, 78, 0]
    assert ColorJitter(hue=1 / 3)(picture, Drawn(["hue"]))[0, 1].tolist() == [0, 255, 0]
    assert drawn.asked == [(pytest.approx(0.1), 1.9), (-0.0, 0.0)]


def test_factors_are_never_negative() -> None:
    drawn = Drawn(["brightness"])
    ColorJitter(brightness=2)(noise(2, 2), drawn)
    assert drawn.asked == [(0, 3)]


def test_every_order_and_the_whole_interval_are_drawn() -> None:
    rng = np.random.default_rng(0)
    picture = np.full((1, 1, 3), 100, np.uint8)
    seen = [int(ColorJitter(brightness=0.5)(picture, rng)[0, 0, 0]) for _ in range(400)]
    assert 50 <= min(seen) <= 51 and 148 <= max(seen) <= 150 and 96 < np.mean(seen) < 104


def test_p_is_how_often() -> None:
    rng, picture = np.random.default_rng(0), noise(4, 4)
    changed = [ColorJitter(brightness=0.5, p=0.3)(picture, rng) is not picture for _ in range(1000)]
    assert 260 < sum(changed) < 340
    assert ColorJitter(0.5, 0.5, 0.5, 0.5, p=0)(picture, rng) is picture


jitters = st.builds(
    ColorJitter, st.floats(0, 3), st.floats(0, 3), st.floats(0, 3), st.floats(0, 0.5), st.floats(0, 1)
)  # fmt: skip


@given(jitters, st.integers(0, 2**32), st.integers(1, 20), st.integers(1, 20))
def test_the_same_generator_gives_the_same_bytes(jitter, seed: int, width: int, height: int) -> None:
    picture = noise(width, height)
    first, again = (jitter(picture, np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(first, again) and (first.shape, first.dtype) == (picture.shape, np.uint8)
    assert np.array_equal(picture, noise(width, height))


@given(st.integers(0, 2**32))
def test_without_reach_it_is_the_identity(seed: int) -> None:
    assert np.array_equal(ColorJitter()(noise(9, 7), np.random.default_rng(seed)), noise(9, 7))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        *(({key: -0.1}, f"{key} is -0.1; write a number of at least 0") for key in NAMES[:3]),
        ({"hue": 0.6}, "hue is 0.6; write a number from 0 to 0.5"),
        ({"p": 1.1}, "p is 1.1; write a number from 0 to 1"),
    ],
)
def test_impossible_keys_are_refused(keys: dict, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        ColorJitter(**keys)
    assert str(caught.value) == message


def test_without_a_generator_nothing_is_drawn() -> None:
    with pytest.raises(ValueError, match="ColorJitter draws at random"):
        ColorJitter()(noise(4, 4), None)
