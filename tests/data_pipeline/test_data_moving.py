"""RandomRotation, Pad, RandomGrayscale and GaussianBlur, on pictures whose right answer is arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import pattern
from helpers.pictures import noise, numbered
from ppcls.data.datasets import check_crops
from ppcls.data.transforms import (
    CropImage,
    DecodeImage,
    GaussianBlur,
    NormalizeImage,
    Pad,
    Pipeline,
    RandomGrayscale,
    RandomRotation,
    ResizeImage,
)


class Drawn:
    """A generator that hands out prepared numbers; a uniform one is a share of the range."""

    def __init__(self, random: float, share: float = 0) -> None:
        self._random, self._share = random, share

    def random(self) -> float:
        return self._random

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self._share


def test_right_angles_move_whole_pixels() -> None:
    picture = noise(6, 6)
    for interpolation in ("nearest", "bilinear", "bicubic"):
        turn = RandomRotation(90, interpolation)
        assert np.array_equal(turn(picture, Drawn(0, 1)), np.rot90(picture))
        assert np.array_equal(turn(picture, Drawn(0, 0)), np.rot90(picture, -1))
        assert np.array_equal(turn(picture, Drawn(0, 0.5)), picture)


def test_the_angle_is_of_the_range() -> None:
    picture = noise(7, 7)
    turn = RandomRotation((90, 270))
    assert np.array_equal(turn(picture, Drawn(0, 0.5)), np.rot90(picture, 2))
    assert np.array_equal(turn(picture, Drawn(0, 1)), np.rot90(picture, 3))


def test_prob_leaves_pictures_as_they_are() -> None:
    picture = noise(4, 4)
    for transform in (RandomRotation(90, prob=0.3), RandomGrayscale(0.3), GaussianBlur(p=0.3)):
        assert transform(picture, Drawn(0.3)) is picture
        assert not np.array_equal(transform(picture, Drawn(0.29, 1)), picture)


def test_a_turned_picture_is_cut_or_grows() -> None:
    picture = noise(8, 4)
    assert RandomRotation(90)(picture, Drawn(0, 1)).shape == (4, 8, 3)
    grown = RandomRotation(90, expand=True)(picture, Drawn(0, 1))
    assert np.array_equal(grown, np.rot90(picture))
    around = RandomRotation(45, expand=True)(np.full((30, 40, 3), 9, np.uint8), Drawn(0, 1))
    side = math.ceil((30 + 40) * math.sqrt(0.5))
    assert around.shape == (side, side, 3)
    assert abs((around == 9).all(axis=2).sum() - 30 * 40) < 40
    assert RandomRotation(45).output_size((8, 4)) == (8, 4)
    assert RandomRotation(45, expand=True).output_size((8, 4)) is None


def test_fill_comes_from_outside() -> None:
    picture = noise(8, 4)
    result = RandomRotation(90, fill=(1, 2, 3))(picture, Drawn(0, 1))
    assert result[:, :2].reshape(-1, 3).tolist() == [[1, 2, 3]] * 8
    assert (RandomRotation(90, fill=7)(picture, Drawn(0, 1))[:, -2:] == 7).all()


def test_a_centre_of_ones_own() -> None:
    picture = numbered(9, 9)
    turned = RandomRotation(180, center=[2, 3])(picture, Drawn(0, 1))
    assert turned[3, 2, :2].tolist() == [2, 3] and turned[0, 0, :2].tolist() == [4, 6]


def test_pad_puts_a_border_around() -> None:
    picture = noise(5, 3)
    padded = Pad(2, (1, 2, 3))(picture)
    assert padded.shape == (7, 9, 3) and np.array_equal(padded[2:-2, 2:-2], picture)
    border = np.ones((7, 9), bool)
    border[2:-2, 2:-2] = False
    assert padded[border].tolist() == [[1, 2, 3]] * (7 * 9 - 15)
    assert Pad(1)(picture)[0].max() == 0
    assert Pad(3).output_size((10, 20)) == (16, 26) and Pad(3).output_size(None) is None
    assert Pipeline([DecodeImage(), Pad(3)]).draws is False


def test_grayscale_is_luma_in_all_channels() -> None:
    picture = np.uint8([[[200, 100, 50]]])
    assert RandomGrayscale(1)(picture, Drawn(0.99)).tolist() == [[[124, 124, 124]]]
    gray = noise(4, 4)[..., :1]
    assert RandomGrayscale(1)(gray, Drawn(0)) is gray


def test_blur_is_a_gaussian() -> None:
    picture = np.zeros((31, 31, 3), np.float32)
    picture[15, 15] = 1
    blurred = GaussianBlur(11, (0.5, 2.5), 1)(picture, Drawn(0, 0.5))
    weights = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    expected = np.zeros((31, 31))
    expected[10:21, 10:21] = np.outer(weights, weights)
    assert np.abs(blurred - expected[..., None]).max() < 1e-6
    flat = np.full((9, 9, 3), 77, np.uint8)
    assert np.array_equal(GaussianBlur(p=1)(flat, Drawn(0, 1)), flat)


@given(
    st.sampled_from(
        [
            RandomRotation(30, "bilinear", fill=5, prob=1),
            RandomRotation(30, expand=True, prob=1),
            Pad(2, (4, 4, 4)),
            RandomGrayscale(1),
            GaussianBlur(5, p=1),
        ]
    ),
    st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]),
)  # fmt: skip
def test_any_picture(transform, seed: int, width: int, height: int, channels: int) -> None:
    picture = noise(width, height)[..., :channels].copy()
    picture.flags.writeable = False
    first, again = (transform(picture, np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.dtype == np.uint8 and first.shape[2] == channels
    size = transform.output_size((width, height))
    assert size is None or size == first.shape[1::-1]


@pytest.mark.parametrize(
    ("transform", "keys", "message"),
    [
        (RandomRotation, {"degrees": -1}, "degrees is -1; write a number of at least 0, or [smallest, largest]"),
        (RandomRotation, {"degrees": (9, 3)}, "degrees is (9, 3); write a number ... or [smallest, largest]"),
        (RandomRotation, {"degrees": 9, "fill": (1, 2)}, "fill is [1, 2]; write one number, or one per channel"),
        (RandomRotation, {"degrees": 9, "expand": True, "center": (1, 1)}, "center is set beside expand ... leave one"),
        (Pad, {"padding": -1}, "padding is -1; write a whole number of at least 0"),
        (Pad, {"padding": 1, "padding_mode": "reflect"}, "padding_mode is 'reflect'; write 'constant'"),
        (GaussianBlur, {"kernel_size": 4}, "kernel_size is 4; write an odd number of pixels"),
        (GaussianBlur, {"sigma": (2, 1)}, "sigma is [2, 1]; write [smallest, largest]"),
        (RandomGrayscale, {"p": 2}, "p is 2; write a number from 0 to 1"),
    ],
)
def test_impossible_keys_are_refused(transform, keys: dict, message: str) -> None:
    with pytest.raises(ValueError, match=pattern(message)):
        transform(**keys)


def test_what_needs_bytes_or_one_colour_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="RandomGrayscale stands after NormalizeImage; write it before"):
        Pipeline([DecodeImage(), NormalizeImage(), RandomGrayscale()])
    with pytest.raises(ValueError, match=r"Pad has a fill for three channels, .*; write one number"):
        Pipeline([DecodeImage(channels=1), Pad(1, (1, 2, 3))])


def test_crops_are_compared_with_the_padded_or_turned_picture() -> None:
    check_crops([DecodeImage(), ResizeImage(resize_short=20), Pad(4), CropImage(28)])
    check_crops([DecodeImage(), ResizeImage(size=20), Pad(4), CropImage(28)])
    check_crops([DecodeImage(), ResizeImage(resize_short=20), RandomRotation(45, expand=True), CropImage(28)])
    for resize in (ResizeImage(resize_short=20), ResizeImage(size=20)):
        with pytest.raises(ValueError, match=r"CropImage cannot cut 29x29 pixels .* out of pictures"):
            check_crops([DecodeImage(), resize, Pad(4), CropImage(29)])
