from __future__ import annotations

import math

import numpy as np
import pytest
from data_pictures import Script
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import refusal, says
from helpers.pictures import encoded, noise, numbered
from ppcls.data.transforms import CenterCrop, CropImage, DecodeImage, NormalizeImage, Pipeline, RandCropImage
from ppcls.data.transforms.geometry import paddleclas_box, torchvision_box
from ppcls.utils.errors import UserError

Pair = tuple


@pytest.mark.parametrize("spare", range(9))
def test_margins_by_spare_pixels(spare: int) -> None:
    picture = numbered(4 + spare, 4 + spare)
    assert CropImage(4)(picture)[0, 0].tolist() == [[0, 0, 1, 1, 2, 2, 3, 3, 4][spare]] * 2 + [200]
    assert CenterCrop(4)(picture)[0, 0].tolist() == [[0, 0, 1, 2, 2, 2, 3, 4, 4][spare]] * 2 + [200]


@pytest.mark.parametrize("crop", [CropImage, CenterCrop])
def test_the_part_is_cut_by_width_and_height(crop: type) -> None:
    part = crop(size=[2, 4])(numbered(8, 6))
    assert part[..., 0].tolist() == [[3, 4]] * 4
    assert part[..., 1].tolist() == [[1, 1], [2, 2], [3, 3], [4, 4]]
    assert np.array_equal(crop(size=3)(numbered(3, 3)), numbered(3, 3))


@pytest.mark.parametrize(("width", "height"), [(7, 8), (8, 7), (1, 1)])
def test_a_picture_smaller_than_the_part_is_an_error(width: int, height: int) -> None:
    assert refusal(CropImage(8), numbered(width, height)) == says(
        f"CropImage cannot cut 8x8 pixels ... of {width}x{height}; put ResizeImage with "
        "resize_short of at least 8 before it"
    )
    with pytest.raises(UserError, match="CenterCrop cannot cut 8x8"):
        CenterCrop(8)(numbered(width, height))


def test_paddleclas_box_is_its_arithmetic() -> None:
    # aspect 0.75 + 0.5 * 1.25 = 1.375; area 200 * 100 * (0.1 + 0.535 * 0.3) = 5210; sides 84.64 and 61.56
    rng = Script(uniform=[0.5, 0.535], integers=[17, 5])
    assert paddleclas_box(200, 100, (0.1, 0.4), (0.75, 2.0), rng) == (17, 5, 84, 61)
    assert rng.asked == [(0.75, 2.0), (0.1, 0.4), (116,), (39,)]


@pytest.mark.parametrize("backend", ["cv2", "pil"])
def test_random_interpolation_is_one_of_two(backend: str) -> None:
    picture, seen = noise(40, 30), set()
    whole = {"scale": (1, 1), "ratio": (1, 1), "backend": backend}
    for seed in range(20):
        results = [
            RandCropImage(9, interpolation=one, **whole)(picture, np.random.default_rng(seed)).tobytes()
            for one in ("random", "bilinear", "bicubic")
        ]
        seen.add(results[1:].index(results[0]))
    assert seen == {0, 1}
    pipeline = Pipeline([DecodeImage(), RandCropImage(9, interpolation="random", **whole), NormalizeImage()])
    files = [(encoded(picture), np.random.default_rng(seed)) for seed in (3, 3)]
    assert np.array_equal(pipeline(*files[0]), pipeline.plain(*files[1]))


def test_the_aspect_may_be_log_uniform() -> None:
    # half-way between the logarithms of 1/2 and 2 is aspect 1; area 200 * 100 * 0.25 = 5000; sides 70.7
    rng = Script(uniform=[0.5, 0.5], integers=[17, 5])
    assert paddleclas_box(200, 100, (0.1, 0.4), (0.5, 2.0), rng, use_log_aspect=True) == (17, 5, 70, 70)
    assert rng.asked[0] == (math.log(0.5), math.log(2.0))
    crop = RandCropImage(8, ratio=(0.5, 2.0), scale=(0.1, 0.4), use_log_aspect=True)
    assert crop.box(200, 100, Script([0.5, 0.5], [17, 5])) == (17, 5, 70, 70)
    with pytest.raises(ValueError, match=r"use_log_aspect is set beside sampling: torchvision, .* leave it out"):
        RandCropImage(8, sampling="torchvision", use_log_aspect=True)


def test_paddleclas_clamps_the_area_to_what_fits() -> None:
    rng = Script(uniform=[0.0, 1.0], integers=[50, 0])
    assert paddleclas_box(100, 50, (0.6, 1.0), (1.0, 1.0), rng) == (50, 0, 50, 50)
    assert rng.asked[1] == (0.5, 0.5)  # at aspect 1 half of the picture fits


def test_torchvision_box_is_its_arithmetic() -> None:
    # area 200 * 100 * 0.25 = 5000; the aspect's logarithm lies half-way between 1/2 and 2: aspect 1
    rng = Script(uniform=[0.5, 0.5], integers=[5, 17])
    assert torchvision_box(200, 100, (0.1, 0.4), (0.5, 2.0), rng) == (17, 5, 71, 71)
    assert rng.asked == [(0.1, 0.4), (math.log(0.5), math.log(2.0)), (29,), (129,)]


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(100, 20, (36, 0, 27, 20)), (20, 100, (0, 36, 20, 27)), (100, 80, (0, 0, 100, 80))],
)
def test_torchvision_falls_back_to_the_centre(width: int, height: int, expected: tuple) -> None:
    rng = Script(uniform=[1.0, 5.0] * 10)  # an aspect far over `ratio`, ten times
    assert torchvision_box(width, height, (1.0, 1.0), (3 / 4, 4 / 3), rng) == expected
    assert len(rng.asked) == 20


def test_torchvision_takes_the_first_try_that_fits() -> None:
    rng = Script(uniform=[1.0, 5.0, 0.25, 0.5], integers=[1, 2])
    assert torchvision_box(40, 40, (0.0, 1.0), (0.5, 2.0), rng) == (2, 1, 20, 20)


sizes = st.integers(1, 300)
scales = st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(lambda pair: tuple(sorted(pair)))
ratios = st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)).map(lambda pair: tuple(sorted(pair)))


@pytest.mark.parametrize("draw", [paddleclas_box, torchvision_box])
@given(width=sizes, height=sizes, scale=scales, ratio=ratios, seed=st.integers(0, 2**32))
def test_boxes_lie_within_the_picture(draw, width: int, height: int, scale: Pair, ratio: Pair, seed: int) -> None:
    left, top, box_width, box_height = draw(width, height, scale, ratio, np.random.default_rng(seed))
    assert 0 <= left <= left + box_width <= width and box_width >= 1
    assert 0 <= top <= top + box_height <= height and box_height >= 1


@pytest.mark.parametrize("draw", [paddleclas_box, torchvision_box])
def test_areas_and_aspects_are_those_asked_for(draw) -> None:
    rng = np.random.default_rng(0)
    boxes = [draw(1000, 1000, (0.2, 0.5), (0.8, 1.25), rng) for _ in range(400)]
    areas = np.array([w * h / 1e6 for _, _, w, h in boxes])
    aspects = np.array([w / h for _, _, w, h in boxes])
    assert 0.19 < areas.min() < 0.21 and 0.49 < areas.max() < 0.51 and abs(areas.mean() - 0.35) < 0.01
    # the mean of a uniform aspect is 1.025, that of a log-uniform one 0.45 / log(1.5625) = 1.008
    assert abs(aspects.mean() - {"paddleclas_box": 1.025, "torchvision_box": 1.0083}[draw.__name__]) < 0.01


def test_the_box_is_what_is_cut_and_resized() -> None:
    crop = RandCropImage(size=4, scale=(0.25, 0.25), ratio=(1, 1))
    part = crop(numbered(8, 8), Script(uniform=[0, 0], integers=[3, 1]))
    assert part[..., 0].tolist() == [[3, 4, 5, 6]] * 4
    assert part[:, 0, 1].tolist() == [1, 2, 3, 4]
    resized = RandCropImage(size=[8, 4], scale=(0.25, 0.25), ratio=(1, 1), interpolation="nearest")
    wide = resized(numbered(8, 8) * 10, Script(uniform=[0, 0], integers=[3, 1]))
    assert wide[..., 0].tolist() == [[30, 30, 40, 40, 50, 50, 60, 60]] * 4


def test_sampling_and_backend_act() -> None:
    picture = noise(40, 30)
    results = {
        RandCropImage(size=8, sampling=sampling, backend=backend)(picture, np.random.default_rng(3)).tobytes()
        for sampling in ("paddleclas", "torchvision")
        for backend in ("cv2", "pil")
    }
    assert len(results) == 4


def test_the_same_generator_gives_the_same_part() -> None:
    parts = [RandCropImage(size=8)(noise(40, 30), np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(parts[0], parts[1]) and not np.array_equal(parts[0], parts[2])


def test_defaults_are_paddleclas() -> None:
    assert RandCropImage(size=224) == RandCropImage(224, (0.08, 1.0), (3 / 4, 4 / 3), "bilinear", "cv2", "paddleclas")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"scale": (0.5, 0.4)}, r"scale is \[0.5, 0.4\]; write \[smallest, largest\]"),
        ({"scale": (0.5, 1.1)}, "scale is"),
        ({"scale": (0, 1)}, "scale is"),
        ({"ratio": (0.5,)}, r"ratio is \[0.5\]; write a list of 2 numbers above 0$"),
        ({"sampling": "timm"}, "sampling is 'timm'; write 'paddleclas' or 'torchvision'"),
        ({"size": (2, -2)}, "size is"),
        ({"interpolation": "box"}, "interpolation is 'box'"),
    ],
)
def test_impossible_keys_are_refused(keys: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandCropImage(**{"size": 8, **keys})


def test_without_a_generator_nothing_is_drawn() -> None:
    with pytest.raises(ValueError, match="RandCropImage draws at random"):
        RandCropImage(size=2)(noise(4, 4), None)
