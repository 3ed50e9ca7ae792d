from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.pictures import noise, numbered
from ppcls.data.transforms import NormalizeImage, RandFlipImage, ToCHWImage


@pytest.mark.parametrize(
    ("flip_code", "first"), [(1, [3, 0]), (0, [0, 2]), (-1, [3, 2])]
)  # column and row of what comes to the upper left of a picture of 4 x 3
def test_flip_mirrors_the_side_that_is_named(flip_code: int, first: list[int]) -> None:
    flipped = RandFlipImage(flip_code, prob=1.0)(numbered(4, 3), np.random.default_rng(0))
    assert flipped[0, 0, :2].tolist() == first
    assert np.array_equal(RandFlipImage(flip_code, prob=1.0)(flipped, np.random.default_rng(0)), numbered(4, 3))


def test_flip_happens_as_often_as_asked() -> None:
    picture = numbered(2, 1)
    rng = np.random.default_rng(0)
    for prob, low, high in ((0.0, 0, 0), (0.5, 450, 550), (0.9, 870, 930), (1.0, 1000, 1000)):
        flipped = sum(int(RandFlipImage(prob=prob)(picture, rng)[0, 0, 0] == 1) for _ in range(1000))
        assert low <= flipped <= high
    assert RandFlipImage() == RandFlipImage(1, 0.5)


def test_impossible_flips_are_refused() -> None:
    with pytest.raises(ValueError, match="flip_code is 2; write 1 or 0 or -1"):
        RandFlipImage(2)
    with pytest.raises(ValueError, match=r"prob is 1\.5; write a number from 0 to 1"):
        RandFlipImage(prob=1.5)
    with pytest.raises(ValueError, match="RandFlipImage draws at random"):
        RandFlipImage()(noise(2, 2), None)


def test_normalisation_is_its_formula() -> None:
    picture = np.array([[[0, 51, 255]]], np.uint8)
    result = NormalizeImage(1 / 255, (0.5, 0.1, 0.0), (0.5, 0.1, 0.25))(picture)
    assert result.dtype == np.float32
    assert np.allclose(result, [[[-1, 1, 4]]], atol=1e-6)


@given(st.integers(0, 255), st.integers(0, 2))
def test_imagenets_normalisation_is_paddleclas_to_the_bit(value: int, channel: int) -> None:
    mean = np.float32([0.485, 0.456, 0.406])[channel]
    std = np.float32([0.229, 0.224, 0.225])[channel]
    expected = (np.float32(value) * np.float32(1 / 255) - mean) / std
    picture = np.full((2, 3, 3), value, np.uint8)
    assert (NormalizeImage()(picture)[..., channel] == expected).all()


@pytest.mark.parametrize(
    ("text", "value"), [("1.0/255.0", 1 / 255), ("1./255.", 1 / 255), ("0.5", 0.5), (1, 1.0), (" 1 / 4 ", 0.25)]
)
def test_scale_may_be_a_fraction_in_words(text: object, value: float) -> None:
    assert NormalizeImage(scale=text).scale == value


@pytest.mark.parametrize("text", ["1/0", "eval(1)", "1/2/3", "", "nan", float("inf"), None])
def test_other_scales_are_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"scale is .*; write a number, or a fraction such as 1\.0/255\.0"):
        NormalizeImage(scale=text)


def test_order_says_where_the_channels_are() -> None:
    picture = noise(5, 4)
    last = NormalizeImage(order="hwc")(picture)
    assert np.array_equal(NormalizeImage(order="")(picture), last)
    assert np.array_equal(NormalizeImage(order="chw")(picture.transpose(2, 0, 1)), last.transpose(2, 0, 1))
    assert NormalizeImage(mean=[0, 0, 0]) == NormalizeImage(mean=(0.0, 0.0, 0.0))


def test_the_input_is_left_alone() -> None:
    for picture in (noise(5, 4), noise(5, 4).astype(np.float32)):
        before = picture.copy()
        for order in ("hwc", "chw"):
            NormalizeImage(order=order)(picture if order == "hwc" else picture.transpose(2, 0, 1))
        assert np.array_equal(picture, before)
    planes = np.ones((3, 2, 2), np.float32)
    NormalizeImage(order="chw")(planes)
    assert (planes == 1).all()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"order": "nchw"}, "order is 'nchw'; write '' or 'hwc' or 'chw'"),
        ({"mean": [1, 2]}, r"mean is \[1, 2\]; write three numbers, one per channel"),
        ({"std": 1.0}, "std is 1.0; write three numbers"),
        ({"std": (1, 0, 1)}, r"std is \[1.0, 0.0, 1.0\]; write a list of numbers above 0"),
        ({"channel_num": 4}, "channel_num is 4; write 1 or 3"),
    ],
)
def test_impossible_normalisations_are_refused(keys: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NormalizeImage(**keys)


def test_channels_come_first() -> None:
    planes = ToCHWImage()(numbered(4, 3))
    assert planes.shape == (3, 3, 4) and planes.flags.c_contiguous
    assert planes[0].tolist() == [[0, 1, 2, 3]] * 3
    assert planes[1].tolist() == [[0] * 4, [1] * 4, [2] * 4]
    assert planes[2].tolist() == [[200] * 4] * 3
