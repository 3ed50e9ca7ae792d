"""The core's tensors against those of `ppcls.data.transforms`, which are Pillow's and OpenCV's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from probes import Request, tensors_of

from ppcls.data.transforms import Pipeline

SIZES = ((37, 23), (61, 40), (5, 3), (100, 75), (224, 300), (1, 9), (64, 64), (513, 17))
PILLOW = ("nearest", "bilinear", "bicubic", "box", "hamming", "lanczos")
OPENCV = ("nearest", "bilinear", "area")
NORMALIZE: dict[str, Any] = {"NormalizeImage": None}


def differences(
    probe: Path, transforms: list[dict[str, Any]], sizes: tuple[tuple[int, int], ...] = SIZES
) -> np.ndarray:
    """How far each value of the core is from Python's, on random pictures of several sizes."""
    pipeline = Pipeline.from_list(transforms)
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (height, width, 3), np.uint8) for width, height in sizes]
    expected = [pipeline.from_array(picture, "RGB") for picture in pictures]
    requests = [Request(picture, transforms, tensor.shape) for picture, tensor in zip(pictures, expected)]
    found = tensors_of(probe, requests)
    return np.concatenate([np.abs(one - other).ravel() for one, other in zip(found, expected)])


def compared(probe: Path, transforms: list[dict[str, Any]], sizes: tuple[tuple[int, int], ...] = SIZES) -> float:
    """The largest of those differences."""
    return float(differences(probe, transforms, sizes).max())


@pytest.mark.parametrize("interpolation", PILLOW)
@pytest.mark.parametrize("resize", [{"size": [33, 20]}, {"size": 90}, {"resize_short": 31}])
def test_pillow_bit_for_bit(core_probe: Path, interpolation: str, resize: dict[str, Any]) -> None:
    transforms = [{"DecodeImage": {}}, {"ResizeImage": {**resize, "interpolation": interpolation, "backend": "pil"}}]
    assert compared(core_probe, transforms) == 0


@pytest.mark.parametrize("interpolation", OPENCV)
@pytest.mark.parametrize("resize", [{"size": [33, 20]}, {"size": 90}, {"size": 32}, {"resize_short": 31}])
def test_opencv_bit_for_bit(core_probe: Path, interpolation: str, resize: dict[str, Any]) -> None:
    transforms = [{"DecodeImage": {}}, {"ResizeImage": {**resize, "interpolation": interpolation}}]
    assert compared(core_probe, transforms) == 0


@pytest.mark.parametrize("interpolation", ["bicubic", "lanczos"])
def test_opencv_within_a_level(core_probe: Path, interpolation: str) -> None:
    transforms = [{"DecodeImage": {}}, {"ResizeImage": {"size": [33, 90], "interpolation": interpolation}}]
    found = differences(core_probe, transforms)
    share = np.count_nonzero(found) / found.size
    print(f"{interpolation}: {share:.2%} of {found.size} values are off by a level")
    assert found.max() <= 1
    assert share < 0.05  # 3.7 % of bicubic's between OpenCV 4.6 and 5.0


@pytest.mark.parametrize(
    "transforms",
    [
        [{"CropImage": {"size": [20, 14]}}, NORMALIZE],
        [{"CenterCrop": {"size": [17, 10]}}, NORMALIZE, {"ToCHWImage": None}],
        [NORMALIZE, {"CropImage": {"size": 16}}],
        [NORMALIZE, {"Pad": {"padding": 3, "fill": [0.1, -0.5, 2]}}],
        [{"Pad": {"padding": 2, "fill": 77.5}}, {"ToCHWImage": None}, {"NormalizeImage": {"order": "chw"}}],
        [{"ResizeImage": {"resize_short": 40, "backend": "pil"}}, NORMALIZE, {"CenterCrop": {"size": 31}}],
    ],
)
@pytest.mark.parametrize("decode", [{}, {"to_rgb": False}])
def test_transforms_bit_for_bit(core_probe: Path, transforms: list[dict[str, Any]], decode: dict[str, Any]) -> None:
    sizes = ((37, 23), (61, 40), (100, 75))
    assert compared(core_probe, [{"DecodeImage": decode}, *transforms], sizes) == 0


def test_gray_bit_for_bit(core_probe: Path) -> None:
    gray = {"NormalizeImage": {"mean": [0.449], "std": [0.226]}}
    assert compared(core_probe, [{"DecodeImage": {"channels": 1}}, {"ResizeImage": {"size": 24}}, gray]) == 0


def test_resize_of_floats(core_probe: Path) -> None:
    transforms = [{"DecodeImage": {}}, NORMALIZE, {"ResizeImage": {"size": [33, 20]}}]
    assert compared(core_probe, transforms) < 1e-4


def test_a_line_without_the_rest_of_its_resize(core_probe: Path) -> None:
    for backend in ("pil", "cv2"):
        resize = {"ResizeImage": {"resize_short": 256, "backend": backend}}
        transforms = [{"DecodeImage": {}}, resize, {"CropImage": {"size": 224}}, NORMALIZE]
        assert compared(core_probe, transforms, ((1, 900), (700, 2))) == 0
