"""Each operation against its own mathematics, written down here a second time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.pictures import noise
from ppcls.data.transforms.operations import OPERATIONS, SIGNED

RANGELESS = {"AutoContrast", "Equalize", "Invert"}
GRAY = np.full(3, 128)


def applied(name: str, picture: np.ndarray, strength: float) -> np.ndarray:
    return np.asarray(OPERATIONS[name](Image.fromarray(picture), strength))


def values(*numbers: int) -> np.ndarray:
    """One row of gray pixels."""
    return np.repeat(np.uint8(numbers)[None, :, None], 3, axis=2)


def gray(picture: np.ndarray) -> np.ndarray:
    """ITU-R 601 luma in 16 bits of fraction, as integers."""
    red, green, blue = picture.astype(int).transpose(2, 0, 1)
    return (19595 * red + 38470 * green + 7471 * blue + 2**15) >> 16


@pytest.mark.parametrize(
    ("name", "strength", "before", "after"),
    [
        ("Identity", 1, [0, 7, 255], [0, 7, 255]),
        ("Invert", 0, [0, 100, 255], [255, 155, 0]),
        ("Solarize", 0.5, [0, 127, 128, 255], [0, 127, 127, 0]),
        ("Solarize", 1, [0, 127, 255], [255, 128, 0]),
        ("Solarize", 7 / 9, [56, 57, 255], [56, 198, 0]),  # from 256 * 2 / 9 = 57 on
        ("Posterize", 1, [255, 17, 15], [240, 16, 0]),  # four bits
        ("Posterize", 0.25, [255, 17, 16], [254, 16, 16]),  # seven
        ("Posterize", 5 / 9, [255, 17, 3], [252, 16, 0]),  # 8 - 2.2: six
        ("AutoContrast", 0, [50, 100, 150], [0, 127, 255]),
        ("Brightness", 1, [0, 100, 200], [0, 190, 255]),
        ("Brightness", -1, [10, 100, 255], [1, 10, 25]),
        ("Contrast", 1, [0, 100, 200], [0, 100, 255]),  # the mean gray is 100
        ("Contrast", -0.5, [0, 100, 200], [45, 100, 155]),
    ],
)
def test_pixel_by_pixel(name: str, strength: float, before: list, after: list) -> None:
    assert applied(name, values(*before), strength)[0].tolist() == [[value] * 3 for value in after]


def test_color_moves_away_from_gray() -> None:
    picture = np.uint8([[[200, 100, 50]]])
    assert gray(picture).tolist() == [[124]]
    # 124 + 1.9 * (76, -24, -74) and 124 + 0.1 * the same, rounded down and clipped
    assert applied("Color", picture, 1).tolist() == [[[255, 78, 0]]]
    assert applied("Color", picture, -1).tolist() == [[[131, 121, 116]]]


def test_channels_are_stretched_one_by_one() -> None:
    picture = np.uint8([[[0, 10, 7], [255, 30, 7], [100, 20, 7]]])
    assert applied("AutoContrast", picture, 0).tolist() == [[[0, 0, 7], [255, 255, 7], [100, 127, 7]]]


def test_sharpness_moves_away_from_the_smoothed_picture() -> None:
    picture = np.zeros((5, 5, 3), np.uint8)
    picture[2, 2] = 130  # 50 when it is smoothed by 1 1 1, 1 5 1, 1 1 1 over 13, and 10 around it
    assert applied("Sharpness", picture, -1)[2, :, 0].tolist() == [0, 9, 58, 9, 0]
    assert applied("Sharpness", picture, 1)[2, :, 0].tolist() == [0, 0, 202, 0, 0]


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40))
def test_equalize_flattens_the_histogram(seed: int, width: int, height: int) -> None:
    picture = (noise(width, height, seed) // 3).astype(np.uint8)
    expected = picture.copy()
    for channel in range(3):
        counts = np.bincount(picture[..., channel].ravel(), minlength=256)
        step = (counts.sum() - counts[counts > 0][-1]) // 255
        if step and (counts > 0).sum() > 1:
            before = np.cumsum(counts) - counts
            table = np.minimum((step // 2 + before) // step, 255)
            expected[..., channel] = table[picture[..., channel]]
    assert np.array_equal(applied("Equalize", picture, 0), expected)


@pytest.mark.parametrize("strength", [-1, -0.4, 0.25, 1])
@pytest.mark.parametrize("name", ["ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"])
def test_a_pixel_comes_from_where_geometry_says(name: str, strength: float) -> None:
    picture, centre = noise(31, 20), (15.5, 10.0)
    angle = math.radians(30 * strength)  # counter-clockwise; rows count downwards
    sources = {
        "ShearX": lambda x, y: (x + 0.3 * strength * y, y),
        "ShearY": lambda x, y: (x, y + 0.3 * strength * x),
        "TranslateX": lambda x, y: (x + round(31 * strength * 150 / 331), y),
        "TranslateY": lambda x, y: (x, y + round(20 * strength * 150 / 331)),
        "Rotate": lambda x, y: (
            centre[0] + math.cos(angle) * (x - centre[0]) - math.sin(angle) * (y - centre[1]),
            centre[1] + math.sin(angle) * (x - centre[0]) + math.cos(angle) * (y - centre[1]),
        ),
    }
    result = applied(name, picture, strength)
    compared = 0
    for row in range(20):
        for column in range(31):
            places = sources[name](column + 0.5, row + 0.5)
            if min(abs(place - round(place)) for place in places) > 1e-3:  # else it is a matter of rounding
                x, y = map(math.floor, places)
                expected = picture[y, x] if 0 <= x < 31 and 0 <= y < 20 else GRAY
                assert np.array_equal(result[row, column], expected)
                compared += 1
    assert compared >= 580


def test_translation_is_the_papers_150_pixels_of_331() -> None:
    columns = np.repeat((np.arange(331) % 100).astype(np.uint8)[None, :, None], 3, axis=2)
    moved = applied("TranslateX", columns, 1)[0, :, 0]
    assert moved[:181].tolist() == columns[0, 150:, 0].tolist() and set(moved[181:].tolist()) == {128}


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - RANGELESS))
def test_strength_0_is_the_identity(name: str) -> None:
    assert np.array_equal(applied(name, noise(23, 17), 0), noise(23, 17))


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - RANGELESS - {"Identity"}))
def test_more_strength_is_more_effect(name: str) -> None:
    rows, columns = np.mgrid[:64, :64]
    picture = np.stack([rows + 60, columns + 60, rows // 2 + columns // 2], axis=2).astype(np.uint8)
    picture += noise(64, 64) % 8

    def change(strength: float) -> float:
        return float(np.abs(applied(name, picture, strength).astype(int) - picture).mean())

    for sign in (1, -1) if name in SIGNED else (1,):
        changes = [change(sign * strength) for strength in (0, 0.25, 0.5, 0.75, 1)]
        assert changes == sorted(changes) and changes[0] == 0 < changes[-1], changes


@given(st.sampled_from(sorted(OPERATIONS)), st.floats(-1, 1), st.integers(1, 30), st.integers(1, 30))
def test_size_and_type_are_kept(name: str, strength: float, width: int, height: int) -> None:
    picture = noise(width, height)
    result = applied(name, picture, strength if name in SIGNED else abs(strength))
    assert (result.shape, result.dtype) == (picture.shape, np.uint8)
    assert np.array_equal(picture, noise(width, height))
