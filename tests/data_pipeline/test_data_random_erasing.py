from __future__ import annotations

import math

import numpy as np
import pytest
from data_pictures import Script
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import refusal, says
from helpers.pictures import encoded, noise, numbered
from ppcls.data.transforms import CropImage, DecodeImage, NormalizeImage, Pipeline, RandomErasing


class Drawn(Script):
    """Prepared numbers, and a first draw that is below every EPSILON but 0."""

    def random(self) -> float:
        return 0.0


def test_the_box_is_its_arithmetic() -> None:
    # area 200 * 100 * (0.1 + 0.5 * 0.2) = 4000; height / width 0.5 + 0.5 * 1.5 = 1.25; sides 56.6 and 70.7
    rng = Script(uniform=[0.5, 0.5], integers=[17, 5])
    assert RandomErasing(sl=0.1, sh=0.3, r1=0.5).box(200, 100, rng) == (17, 5, 57, 71)
    assert rng.asked == [(0.1, 0.3), (0.5, 2), (143,), (29,)]


def test_the_aspect_may_be_drawn_by_its_logarithm() -> None:
    rng = Script(uniform=[0.5, 0.5], integers=[17, 5])
    assert RandomErasing(sl=0.1, sh=0.3, r1=0.5, use_log_aspect=True).box(200, 100, rng) == (17, 5, 63, 63)
    assert rng.asked[1] == (math.log(0.5), -math.log(0.5))


def test_boxes_that_do_not_fit_are_drawn_again() -> None:
    high = [1.0, 1.0]  # 100 * 100 * 0.9 at height / width 2: 67 by 134
    erasing = RandomErasing(sl=0.25, sh=0.9, r1=0.5, attempt=3)
    rng = Script(uniform=[*high, *high, 0.0, 1 / 3], integers=[1, 2])
    assert erasing.box(100, 100, rng) == (1, 2, 50, 50)
    rng = Script(uniform=high * 3)
    assert erasing.box(100, 100, rng) is None and len(rng.asked) == 6


def test_a_picture_in_which_nothing_fits_stays() -> None:
    picture = noise(40, 3)
    assert RandomErasing(EPSILON=1, sl=0.9, sh=0.9, r1=1)(picture, np.random.default_rng(0)) is picture


def test_the_box_is_covered_in_a_copy() -> None:
    picture = numbered(8, 8)
    erasing = RandomErasing(sl=0.25, sh=0.25, r1=1, mean=(1, 2.6, 3))
    erased = erasing(picture, Drawn(uniform=[0, 0], integers=[3, 1]))
    expected = numbered(8, 8)
    expected[1:5, 3:7] = (1, 3, 3)  # bytes are rounded
    assert np.array_equal(erased, expected) and np.array_equal(picture, numbered(8, 8))
    floats = erasing(picture.astype(np.float32), Drawn(uniform=[0, 0], integers=[3, 1]))
    assert floats.dtype == np.float32 and floats[1, 3].tolist() == [1, np.float32(2.6), 3]
    outside = np.ones((8, 8), bool)
    outside[1:5, 3:7] = False
    assert np.array_equal(floats[outside], picture[outside])


def covered(mode: str, dtype: type) -> np.ndarray:
    """A whole picture of 60 by 60 that is covered."""
    erasing = RandomErasing(EPSILON=1, sl=1, sh=1, r1=1, mode=mode, mean=(9, 9, 9))
    return erasing(np.full((60, 60, 3), 77, dtype), np.random.default_rng(1))


def test_modes() -> None:
    assert set(covered("const", np.uint8).ravel().tolist()) == {9}
    for dtype in (np.uint8, np.float32):
        color = covered("rand", dtype)
        assert len(np.unique(color.reshape(-1, 3), axis=0)) == 1 and len(set(color[0, 0].tolist())) == 3
        assert len(np.unique(covered("pixel", dtype).reshape(-1, 3), axis=0)) > 3500
    values = covered("pixel", np.uint8)
    assert (values.min(), values.max()) == (0, 255) and 125 < values.mean() < 130
    normal = covered("pixel", np.float32)
    assert abs(normal.mean()) < 0.03 and abs(normal.std() - 1) < 0.03


def test_epsilon_is_how_often() -> None:
    picture, rng = noise(20, 20), np.random.default_rng(0)
    erased = [RandomErasing(EPSILON=0.3)(picture, rng) is not picture for _ in range(1000)]
    assert 260 < sum(erased) < 340
    assert RandomErasing(EPSILON=0)(picture, rng) is picture


def test_areas_and_aspects_are_those_asked_for() -> None:
    for use_log_aspect, mean in ((False, 1.25), (True, 1.5 / math.log(4))):  # of 0.5 to 2
        erasing, rng = RandomErasing(sl=0.1, sh=0.3, r1=0.5, use_log_aspect=use_log_aspect), np.random.default_rng(0)
        boxes = np.array([erasing.box(1000, 1000, rng) for _ in range(600)])
        areas, aspects = boxes[:, 2] * boxes[:, 3] / 1e6, boxes[:, 3] / boxes[:, 2]
        assert 0.099 < areas.min() < 0.101 and 0.299 < areas.max() < 0.301 and abs(areas.mean() - 0.2) < 0.01
        assert 0.49 < aspects.min() < 0.52 and 1.95 < aspects.max() < 2.01 and abs(aspects.mean() - mean) < 0.04


bounds = st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)).map(sorted)


@given(st.integers(1, 60), st.integers(1, 60), bounds, st.floats(0.1, 1), st.booleans(), st.integers(0, 2**32))
def test_boxes_lie_within_the_picture(width, height, areas, r1, use_log_aspect, seed) -> None:
    erasing = RandomErasing(sl=areas[0], sh=areas[1], r1=r1, attempt=5, use_log_aspect=use_log_aspect)
    box = erasing.box(width, height, np.random.default_rng(seed))
    if box is not None:
        left, top, box_width, box_height = box
        assert 0 <= left < left + box_width <= width and 0 <= top < top + box_height <= height


@given(
    st.sampled_from(["const", "rand", "pixel"]), st.sampled_from([np.uint8, np.float32]), st.integers(0, 2**32),
    st.integers(1, 20), st.integers(1, 20),
)  # fmt: skip
def test_the_same_generator_gives_the_same_bytes(mode, dtype, seed, width, height) -> None:
    picture, erasing = noise(width, height).astype(dtype), RandomErasing(EPSILON=0.8, mode=mode)
    first, again = (erasing(picture, np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(first, again) and (first.shape, first.dtype) == (picture.shape, dtype)
    assert np.array_equal(picture, noise(width, height))


def test_normalised_pictures_keep_their_planes_in_memory() -> None:
    planes = NormalizeImage()(noise(20, 20))
    erased = RandomErasing(EPSILON=1)(planes, np.random.default_rng(0))
    assert erased is not planes and erased.strides == planes.strides


def test_before_and_after_the_normalisation() -> None:
    erasing = RandomErasing(EPSILON=1, sl=0.25, sh=0.25, r1=1, mean=(4, 4, 4))
    double = NormalizeImage(scale=2.0, mean=(0, 0, 0), std=(1, 1, 1))
    pipelines = [Pipeline([DecodeImage(), *ops]) for ops in ((erasing, double), (double, erasing))]
    results = [pipeline(encoded(np.zeros((8, 8, 3), np.uint8)), np.random.default_rng(3)) for pipeline in pipelines]
    assert [sorted(set(result.ravel().tolist())) for result in results] == [[0, 8], [0, 4]]
    assert pipelines[0] != pipelines[1] and pipelines[0].draws
    assert pipelines[0] != Pipeline([DecodeImage(), erasing, CropImage(8), double])


def test_defaults_are_paddleclas() -> None:
    assert RandomErasing() == RandomErasing(0.5, 0.02, 0.4, 0.3, (0, 0, 0), 100, False, "const")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"EPSILON": 1.5}, "EPSILON is 1.5; write a number from 0 to 1"),
        ({"sl": 0.5}, "sl is 0.5 and sh 0.4; write two areas, the smaller one as sl"),
        ({"sl": 0}, "sl is 0; write a number above 0 and at most 1"),
        ({"sh": 1.1}, "sh is 1.1; write a number above 0 and at most 1"),
        ({"r1": 0}, "r1 is 0; write a number above 0 and at most 1"),
        ({"r1": 3.3}, "r1 is 3.3; write a number above 0 and at most 1"),
        ({"attempt": 0}, "attempt is 0; write a whole number of at least 1"),
        ({"mode": "mean"}, "mode is 'mean'; write 'const' or 'rand' or 'pixel'"),
        ({"mean": [0, 0]}, "mean is [0, 0]; write one number per channel, or one for all"),
    ],
)
def test_impossible_keys_are_refused(keys: dict, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        RandomErasing(**keys)
    assert str(caught.value) == message


def test_a_colour_that_bytes_cannot_have_is_refused() -> None:
    erasing = RandomErasing(EPSILON=0, mean=(0, -2.1, 0))
    assert refusal(erasing, noise(4, 4), np.random.default_rng(0)) == says(
        "mean of RandomErasing is [0, -2.1, 0], ... NormalizeImage, ... 0 to 255; write such "
        "values, or RandomErasing after it"
    )
    assert erasing(noise(4, 4).astype(np.float32), np.random.default_rng(0)).shape == (4, 4, 3)


def test_without_a_generator_nothing_is_drawn() -> None:
    with pytest.raises(ValueError, match="RandomErasing draws at random"):
        RandomErasing()(noise(4, 4), None)
