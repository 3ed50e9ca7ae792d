"""Cutout, GridMask and HideAndSeek, on pictures whose covered pixels are counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import pattern
from helpers.pictures import noise
from ppcls.data.transforms import Cutout, DecodeImage, GridMask, HideAndSeek, NormalizeImage, Pipeline
from ppcls.data.transforms.erasing import stripes
from ppcls.utils.errors import UserError


class Drawn:
    """A generator that hands out prepared numbers."""

    def __init__(self, integers: list, random: list = ()) -> None:
        self._integers, self._random = list(integers), list(random)

    def integers(self, low: int, high: int | None = None, size=None):
        value = self._integers.pop(0)
        assert np.all(np.less(value, low if high is None else high))
        return np.array(value) if size else value

    def random(self, shape=None):
        return self._random.pop(0)


def ones(width: int, height: int, channels: int = 3) -> np.ndarray:
    return np.ones((height, width, channels), np.float32)


def zeros(picture: np.ndarray) -> list:
    """First and last row and column that are covered."""
    rows, columns = np.nonzero((picture == 0).all(axis=2))
    assert len(rows) == np.prod([rows.max() - rows.min() + 1, columns.max() - columns.min() + 1])
    return [(int(axis.min()), int(axis.max())) for axis in (rows, columns)]


def test_cutout_covers_a_square_around_its_centre() -> None:
    picture = ones(30, 20)
    result = Cutout(length=6)(picture, Drawn([10, 15]))
    assert zeros(result) == [(7, 12), (12, 17)]
    assert picture.all()
    assert zeros(Cutout(length=5)(picture, Drawn([10, 15]))) == [(8, 12), (13, 17)]


def test_the_border_cuts_the_square() -> None:
    assert zeros(Cutout(length=6)(ones(30, 20), Drawn([0, 29]))) == [(0, 2), (26, 29)]
    assert zeros(Cutout(length=6)(ones(30, 20), Drawn([19, 0]))) == [(16, 19), (0, 2)]
    assert not Cutout(length=200)(ones(30, 20), Drawn([3, 3])).any()


def test_cutout_takes_several_squares_and_colours() -> None:
    result = Cutout(2, 2, (5, 6, 7))(noise(30, 20), Drawn([5, 5, 15, 25]))
    assert result[4:6, 4:6].reshape(-1, 3).tolist() == [[5, 6, 7]] * 4
    assert result[14:16, 24:26].reshape(-1, 3).tolist() == [[5, 6, 7]] * 4
    for none in ("none", None):
        drawn = Cutout(1, 2, none)(noise(30, 20), Drawn([5, 5, (250, 1, 9)]))
        assert drawn[4:6, 4:6].reshape(-1, 3).tolist() == [[250, 1, 9]] * 4
    beyond = Cutout(1, 2, (300, -4, 7.6))(noise(30, 20), Drawn([5, 5]))
    assert beyond[4, 4].tolist() == [255, 0, 8]


def test_cutout_of_gray_pictures() -> None:
    gray = noise(30, 20)[..., :1]
    covered = Cutout(1, 40)(gray, Drawn([5, 5]))
    assert not covered[:, :25].any() and np.array_equal(covered[:, 25:], gray[:, 25:])
    with pytest.raises(UserError, match="but pictures have one channel; write one number"):
        Cutout(fill_value=(1, 2, 3))(gray, Drawn([5, 5]))
    with pytest.raises(ValueError, match=r"Cutout has a fill_value for three channels, .*; write one number"):
        Pipeline([DecodeImage(channels=1), Cutout(fill_value=(1, 2, 3))])


def test_a_drawn_colour_is_one_of_bytes() -> None:
    with pytest.raises(ValueError, match="Cutout stands after NormalizeImage; write it before"):
        Pipeline([DecodeImage(), NormalizeImage(), Cutout(fill_value="none")])
    Pipeline([DecodeImage(), NormalizeImage(), Cutout()])


def test_stripes_of_a_grid() -> None:
    """Rows 1, 2, 6 and 7 and columns 0, 4, 5 and 9 lie on stripes of 2 pixels every 5, one down and four right."""
    grid = stripes(9, 10, 5, 2, np.array([1, 4]), 0.0)
    rows = np.isin(np.arange(9), (1, 2, 6, 7))
    columns = np.isin(np.arange(10), (0, 4, 5, 9))
    assert np.array_equal(grid, rows[:, None] | columns)


def test_a_turned_grid_is_the_turned_grid() -> None:
    grid = stripes(20, 20, 7, 3, np.array([2, 5]), 0.0)
    assert np.array_equal(stripes(20, 20, 7, 3, np.array([2, 5]), np.pi), grid[::-1, ::-1])
    assert np.array_equal(stripes(20, 20, 7, 3, np.array([2, 5]), np.pi / 2), np.rot90(grid, -1))
    assert 0.5 < stripes(20, 30, 7, 3, np.array([2, 5]), 0.5).mean() < 0.8


@pytest.mark.parametrize(("mode", "share"), [(0, 0.25), (1, 0.75)])
def test_grid_mask_keeps_squares_or_stripes(mode: int, share: float) -> None:
    """A distance of 10 and stripes of 5, whole periods."""
    picture = ones(40, 60)
    kept = GridMask(10, 11, mode=mode)(picture, Drawn([10, (3, 8), 0], [0.5]))
    assert kept.mean() == share
    assert picture.all()
    on_stripe = kept[3, 0, 0]
    assert on_stripe == mode


def test_grid_mask_draws_its_distance_its_angle_and_whether() -> None:
    picture = ones(40, 40)
    assert GridMask(prob=0.6)(picture, Drawn([], [0.6])) is picture
    wide = GridMask(10, 31, ratio=0.1)(picture, Drawn([30, (0, 0), 0], [0.5]))
    assert wide.mean() == pytest.approx(((40 - 6) / 40) ** 2, rel=1e-6)
    turned = GridMask(10, 31, rotate=360)(picture, Drawn([20, (0, 0), 90], [0.5]))
    assert np.array_equal(turned[..., 0] == 0, stripes(40, 40, 20, 10, np.zeros(2), np.pi / 2))


@pytest.mark.parametrize(("distance", "ratio", "width"), [(96, 0.5, 48), (97, 0.5, 49), (97, 0.4, 39), (9, 0, 0)])
def test_the_width_of_a_stripe_is_rounded(distance: int, ratio: float, width: int) -> None:
    assert GridMask(ratio=ratio).width_of(distance) == width


def test_hide_and_seek_hides_the_patches_that_were_drawn() -> None:
    picture = ones(40, 20)
    result = HideAndSeek()(picture, Drawn([1], [np.array([[0.4, 0.6, 0.5], [0.6, 0.4, 0.6]])]))
    expected = picture.copy()
    expected[:16, :16] = 0
    expected[16:, 16:32] = 0
    assert np.array_equal(result, expected)
    assert HideAndSeek()(picture, Drawn([0])) is picture


def test_hide_and_seek_hides_half() -> None:
    rng = np.random.default_rng(0)
    shares = [1 - HideAndSeek()(ones(224, 224), rng).mean() for _ in range(300)]
    assert 0.15 < np.mean(np.equal(shares, 0)) < 0.25
    assert 0.45 < np.mean([share for share in shares if share]) < 0.55


@given(
    st.sampled_from([Cutout(2, 7), Cutout(1, 3, "none"), GridMask(2, 9, 90, mode=1), HideAndSeek()]),
    st.integers(0, 2**32), st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 3]),
    st.sampled_from([np.uint8, np.float32]),
)  # fmt: skip
def test_any_picture(transform, seed: int, width: int, height: int, channels: int, dtype) -> None:
    picture = noise(width, height)[..., :channels].astype(dtype)
    picture.flags.writeable = False
    first, again = (transform(picture, np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(first, again)
    assert (first.shape, first.dtype) == (picture.shape, picture.dtype)


@pytest.mark.parametrize(
    ("transform", "keys", "message"),
    [
        (Cutout, {"n_holes": 0}, "n_holes is 0; write a whole number of at least 1"),
        (Cutout, {"length": 1.5}, "length is 1.5; write a whole number of at least 1"),
        (Cutout, {"fill_value": (1, 2)}, "fill_value is [1, 2]; write one number, or one per channel"),
        (GridMask, {"d1": 224}, "d1 is 224 and d2 224; write two distances, the smaller one as d1"),
        (GridMask, {"mode": 2}, "mode is 2; write 0 or 1"),
    ],
)
def test_impossible_keys_are_refused(transform, keys: dict, message: str) -> None:
    with pytest.raises(ValueError, match=pattern(message)):
        transform(**keys)
