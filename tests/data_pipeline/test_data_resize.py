from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.pictures import noise, numbered
from ppcls.data.transforms import ResizeImage

CV2 = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "area": cv2.INTER_AREA,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}
PIL = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
    "lanczos": Image.Resampling.LANCZOS,
}


@pytest.mark.parametrize("interpolation", CV2)
def test_every_interpolation_of_opencv(interpolation: str) -> None:
    picture = noise(13, 11)
    expected = cv2.resize(picture, (7, 5), interpolation=CV2[interpolation])
    assert np.array_equal(ResizeImage(size=(7, 5), interpolation=interpolation)(picture), expected)


@pytest.mark.parametrize("interpolation", PIL)
def test_every_interpolation_of_pillow(interpolation: str) -> None:
    picture = noise(13, 11)
    expected = np.asarray(Image.fromarray(picture).resize((7, 5), PIL[interpolation]))
    assert np.array_equal(ResizeImage(size=(7, 5), interpolation=interpolation, backend="pil")(picture), expected)


def test_no_two_ways_of_resizing_are_the_same() -> None:
    picture = noise(13, 11)
    results = [ResizeImage(size=(7, 5), interpolation=name)(picture) for name in CV2]
    results += [ResizeImage(size=(7, 5), interpolation=name, backend="pil")(picture) for name in PIL]
    # OpenCV's and Pillow's nearest neighbour take different pixels, so all eleven differ.
    assert len({result.tobytes() for result in results}) == len(CV2) + len(PIL)


@pytest.mark.parametrize("backend", ["cv2", "pil"])
def test_nearest_doubling_repeats_pixels(backend: str) -> None:
    picture = numbered(4, 3)
    doubled = ResizeImage(size=(8, 6), interpolation="nearest", backend=backend)(picture)
    assert np.array_equal(doubled, picture.repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.parametrize(("backend", "interpolation"), [("cv2", "area"), ("cv2", "bilinear"), ("pil", "box")])
def test_halving_takes_means(backend: str, interpolation: str) -> None:
    picture = np.array([[0, 4, 100, 104], [8, 12, 108, 112]], np.uint8)[..., None].repeat(3, axis=2)
    halved = ResizeImage(size=(2, 1), interpolation=interpolation, backend=backend)(picture)
    assert halved[..., 0].tolist() == [[6, 106]]


def test_bilinear_of_opencv_lies_between_pixel_centres() -> None:
    picture = np.array([[0, 100]], np.uint8)[..., None].repeat(3, axis=2)
    assert ResizeImage(size=(4, 1))(picture)[0, :, 0].tolist() == [0, 25, 75, 100]


def test_bilinear_of_opencv_is_the_default() -> None:
    picture = noise(13, 11)
    assert np.array_equal(ResizeImage(size=5)(picture), cv2.resize(picture, (5, 5), interpolation=cv2.INTER_LINEAR))


def test_sizes_are_width_and_height() -> None:
    assert ResizeImage(size=[5, 2])(noise(9, 9)).shape == (2, 5, 3)
    assert ResizeImage(size=4)(noise(9, 5)).shape == (4, 4, 3)
    assert ResizeImage(size=[5, 2]) == ResizeImage(size=(5, 2))


@pytest.mark.parametrize(
    ("short", "width", "height", "expected"),
    [
        (256, 500, 375, (341, 256)),  # 341.33
        (256, 375, 500, (256, 341)),
        (256, 640, 426, (385, 256)),  # 384.60
        (1, 3, 2, (2, 1)),  # 1.5 to the even neighbour
        (1, 5, 2, (2, 1)),  # 2.5 as well
        (292, 100, 100, (292, 292)),
    ],
)
def test_resize_short_rounds_both_sides(short: int, width: int, height: int, expected: tuple[int, int]) -> None:
    assert ResizeImage(resize_short=short).output_size((width, height)) == expected
    assert ResizeImage(resize_short=short)(noise(width, height)).shape[1::-1] == expected


@given(st.integers(1, 600), st.integers(1, 4000), st.integers(1, 4000))
def test_resize_short_gives_the_shorter_side_its_length(short: int, width: int, height: int) -> None:
    size = ResizeImage(resize_short=short).output_size((width, height))
    assert size is not None and min(size) == short
    assert abs(max(size) - short * max(width, height) / min(width, height)) <= 0.5 + 1e-6


@pytest.mark.parametrize("backend", ["cv2", "pil"])
def test_the_same_size_changes_nothing(backend: str) -> None:
    picture = noise(6, 4)
    for interpolation in ("nearest", "bilinear", "bicubic", "lanczos"):
        same = ResizeImage(size=(6, 4), interpolation=interpolation, backend=backend)(picture)
        assert np.array_equal(same, picture)


def test_a_mirrored_view_can_be_resized() -> None:
    picture = noise(6, 4)
    assert np.array_equal(ResizeImage(size=3)(picture[:, ::-1]), ResizeImage(size=3)(picture[:, ::-1].copy()))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "exactly one of resize_short and size .*; write resize_short: 256 or size: 224"),
        ({"size": 2, "resize_short": 3}, "exactly one of resize_short and size is needed"),
        ({"size": 0}, r"size is 0; write a whole number of at least 1 or a list of 2 .* at least 1"),
        ({"size": (3, 4, 5)}, r"size is \[3, 4, 5\]; write"),
        ({"resize_short": -1}, "resize_short is -1; write a whole number of at least 1"),
        ({"size": 2, "backend": "tf"}, "backend is 'tf'; write 'cv2' or 'pil'"),
        ({"size": 2, "interpolation": "box"}, "backend cv2 write one of: nearest, bilinear, area, bicubic, lanczos"),
        ({"size": 2, "interpolation": "area", "backend": "pil"}, "pil write one of: nearest, bilinear, bicubic, box"),
    ],
)  # fmt: skip
def test_impossible_keys_are_refused(keys: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResizeImage(**keys)


def test_opencv_without_memory_is_a_memory_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhaust(*_: object, **__: object) -> None:
        error = cv2.error("OpenCV(5.0.0) alloc.cpp: error: (-4:Insufficient memory) Failed to allocate 9 bytes")
        error.code = cv2.Error.StsNoMem
        raise error

    monkeypatch.setattr(cv2, "resize", exhaust)
    with pytest.raises(MemoryError):
        ResizeImage(size=8)(noise(6, 4))
