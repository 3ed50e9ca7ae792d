"""A part of a resized picture is what cutting it out of the whole gives."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.pictures import encoded, noise
from ppcls.data.transforms import (
    CenterCrop,
    CropImage,
    DecodeImage,
    NormalizeImage,
    Pipeline,
    ResizeImage,
    ToCHWImage,
    UnreadableImage,
    geometry,
)
from ppcls.data.transforms import resample as resampling
from ppcls.data.transforms.base import cut
from ppcls.data.transforms.resample import INTERPOLATIONS, resample

WAYS = [(backend, name) for backend, names in INTERPOLATIONS.items() for name in names]
WITHOUT = (("cv2", "bicubic"), ("cv2", "lanczos"))  # whose arithmetic depends on the processor
EXACT = [way for way in WAYS if way not in WITHOUT]


@pytest.mark.parametrize(("backend", "interpolation"), EXACT)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_part_has_the_pixels_of_the_whole(backend: str, interpolation: str, data: st.DataObject) -> None:
    sides = st.integers(1, 40) | st.sampled_from([1, 2, 997, 2500])
    width = data.draw(sides)
    height = data.draw(sides if width < 50 else st.integers(1, 3))
    factor = data.draw(st.floats(1, 12))
    target = round(width * factor), round(height * factor) + data.draw(st.integers(0, 1))
    image = noise(width, height, seed=data.draw(st.integers(0, 99)))[..., : data.draw(st.sampled_from([1, 3]))]
    box_width, box_height = (data.draw(st.integers(1, min(side, 48))) for side in target)
    left = data.draw(st.integers(0, target[0] - box_width))
    top = data.draw(st.integers(0, target[1] - box_height))
    box = (left, top, box_width, box_height)
    part = resampling.resample_part(image, *target, interpolation, backend, box)
    assert part is not None
    assert np.array_equal(part, cut(resample(image, *target, interpolation, backend), box))


@pytest.mark.parametrize(("backend", "interpolation"), WAYS)
@pytest.mark.parametrize("crop", [CropImage(24), CenterCrop((23, 21))])
@pytest.mark.parametrize("late", [False, True])
def test_a_crop_behind_a_resize_gives_the_same_pixels(
    backend: str, interpolation: str, crop: CropImage, late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geometry, "_WHOLE", 0)
    shrink = ResizeImage(resize_short=25, interpolation=interpolation, backend=backend)
    ops = [DecodeImage(), shrink, *([crop, NormalizeImage()] if late or backend == "pil" else [NormalizeImage(), crop])]
    pipeline = Pipeline([*ops, ToCHWImage()])
    for width, height in ((2, 300), (211, 1), (60, 80), (25, 25), (7, 9)):
        data = encoded(noise(width, height))
        assert np.array_equal(pipeline(data), pipeline.plain(data)), (width, height)


def test_ordinary_pictures_are_resized_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geometry, "resample_part", None)
    pipeline = Pipeline([DecodeImage(), ResizeImage(resize_short=256), CropImage(224)])
    assert pipeline(encoded(noise(40, 2000))).shape == (3, 224, 224)


@pytest.mark.parametrize(("backend", "interpolation"), [("cv2", "bilinear"), ("pil", "bicubic")])
@pytest.mark.parametrize("size", [(1, 8000), (8000, 1), (2, 60_000)])
def test_a_line_takes_no_more_memory_than_other_pictures(
    backend: str, interpolation: str, size: tuple[int, int]
) -> None:
    """Its whole result would have half a billion pixels or more."""
    keys = {"interpolation": interpolation, "backend": backend}
    pipeline = Pipeline([DecodeImage(), ResizeImage(resize_short=256, **keys), CropImage(224), NormalizeImage()])
    data = encoded(np.broadcast_to(np.uint8([10, 20, 30]), (size[1], size[0], 3)).copy())
    expected = NormalizeImage()(np.uint8([[[10, 20, 30]]]))[0, 0]
    pipeline(data)
    tracemalloc.start()
    result = pipeline(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6
    assert result.shape == (3, 224, 224) and np.abs(result - expected[:, None, None]).max() < 1e-6


def test_what_cannot_be_had_in_part_is_refused_where_it_is_out_of_proportion() -> None:
    line = encoded(noise(1, 8000))
    for ops in (
        [ResizeImage(resize_short=256, interpolation="bicubic"), CropImage(224)],
        [ResizeImage(resize_short=256, interpolation="nearest", backend="pil")],
    ):
        with pytest.raises(UnreadableImage, match=r"of 1x8000 pixels ResizeImage would make 256x2048000; crop the pic"):
            Pipeline([DecodeImage(), *ops])(line)


def test_a_library_that_calculates_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def otherwise(image: np.ndarray, width: int, height: int, interpolation: str, backend: str) -> np.ndarray:
        return resample(image, width, height, interpolation, backend) ^ 1

    image = noise(5, 60)
    for backend in ("cv2", "pil"):
        resampling._is_known.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(resampling, "resample", otherwise)
            assert resampling.resample_part(image, 50, 600, "bilinear", backend, (0, 300, 9, 9)) is None
        resampling._is_known.cache_clear()
        assert resampling.resample_part(image, 50, 600, "bilinear", backend, (0, 300, 9, 9)) is not None
