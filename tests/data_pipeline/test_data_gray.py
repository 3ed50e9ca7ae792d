"""One channel: the luma of colours, the same whatever the file and the backend, through every transform."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.pictures import encoded, noise
from ppcls.data.transforms import (
    AutoAugment,
    CenterCrop,
    ColorJitter,
    CropImage,
    DecodeImage,
    NormalizeImage,
    Pipeline,
    RandAugment,
    RandAugmentV2,
    RandAugmentV3,
    RandCropImage,
    RandFlipImage,
    RandomErasing,
    ResizeImage,
    TimmAutoAugment,
    ToCHWImage,
)

GRAY = DecodeImage(channels=1)
ONE = NormalizeImage(mean=[0.5], std=[0.25])
PICTURE = noise(20, 24)
PLANE = PICTURE[..., :1]


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_gray_is_the_luma(color):
    """The weights are those of ITU-R BT.601, as in OpenCV and Pillow; both round within one level."""
    (value,) = GRAY(np.full((1, 1, 3), color, np.uint8)).ravel().tolist()
    assert abs(value - np.dot(color, (0.299, 0.587, 0.114))) <= 0.51
    assert abs(value - Image.new("RGB", (1, 1), color).convert("L").getpixel((0, 0))) <= 1


@pytest.mark.parametrize("backend", ["cv2", "pil"])
@pytest.mark.parametrize("to_rgb", [True, False])
def test_every_file_gives_the_luma_of_its_colours(backend, to_rgb):
    """And a gray picture keeps its values to the bit."""
    with_alpha = np.concatenate([PICTURE, PLANE], axis=2)
    for data in (encoded(PICTURE), encoded(PICTURE, "JPEG"), encoded(with_alpha)):
        gray = DecodeImage(channels=1, backend=backend, to_rgb=to_rgb)(data)
        colors = DecodeImage(backend=backend)(data)
        assert gray.shape == (24, 20, 1)
        assert gray.dtype == np.uint8
        np.testing.assert_allclose(gray[..., 0], colors @ [0.299, 0.587, 0.114], atol=0.51)
    data = encoded(PLANE[..., 0])
    np.testing.assert_array_equal(DecodeImage(channels=1, backend=backend)(data), PLANE)


def test_exif_turns_gray_pictures_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert GRAY(encoded(PICTURE, "JPEG", exif=exif)).shape == (20, 24, 1)


@pytest.mark.parametrize(
    "op",
    [
        ResizeImage(resize_short=12), ResizeImage(size=[9, 7], backend="pil"), CropImage(10), CenterCrop(11),
        RandCropImage(8), RandCropImage(8, backend="pil"), RandFlipImage(prob=1), RandFlipImage(-1, 1.0),
        RandomErasing(1.0), RandomErasing(1.0, mode="rand"), RandomErasing(1.0, mode="pixel"),
        RandomErasing(1.0, mean=[7.0]), ColorJitter(brightness=0.5, contrast=0.5),
    ],
)  # fmt: skip
def test_a_transform_does_to_one_channel_what_it_does_to_three_alike(op):
    """All three channels of a gray picture are alike, so each result's first channel is the one channel's result."""
    gray = PLANE
    one = op(gray, np.random.default_rng(5) if op.draws else None)
    three = op(np.repeat(gray, 3, axis=2), np.random.default_rng(5) if op.draws else None)
    assert one.shape == (*three.shape[:2], 1)
    if not (isinstance(op, RandomErasing) and op.mode != "const"):  # draws a value for each channel
        np.testing.assert_array_equal(one, three[..., :1])


@pytest.mark.parametrize("order", [(), ("chw",)])
def test_a_pipeline_gives_one_channel(order):
    ops = [GRAY, RandCropImage(16), RandFlipImage(), ONE]
    if order:
        ops = [*ops[:-1], ToCHWImage(), NormalizeImage(mean=[0.5], std=[0.25], order="chw")]
    pipeline = Pipeline(ops)
    assert (pipeline.output_size, pipeline.channels, pipeline.color) == ((1, 16, 16), 1, "GRAY")
    for data in (encoded(PICTURE), encoded(noise(64, 64), "JPEG"), PICTURE):
        result = pipeline(data, np.random.default_rng(3))
        assert (result.shape, result.dtype, result.flags["C_CONTIGUOUS"]) == ((1, 16, 16), np.float32, True)
        np.testing.assert_array_equal(result, pipeline.plain(data, np.random.default_rng(3)))
    expected = (PLANE[..., 0].astype(np.float32) * np.float32(1 / 255) - np.float32(0.5)) / np.float32(0.25)
    np.testing.assert_array_equal(Pipeline([GRAY, ONE])(encoded(PLANE[..., 0]))[0], expected)


@pytest.mark.parametrize("backend", ["cv2", "pil"])
def test_of_a_line_only_what_the_crop_keeps_is_resized(backend):
    data = encoded(noise(900, 3))
    pipeline = Pipeline([GRAY, ResizeImage(resize_short=150, backend=backend), CropImage(140), ONE])
    np.testing.assert_array_equal(pipeline(data), pipeline.plain(data))
    assert pipeline(data).shape == (1, 140, 140)


def test_arrays_are_in_the_order_that_is_said():
    pipeline, pixels = Pipeline([GRAY, ONE]), PICTURE
    rgb = pipeline.from_array(pixels, "RGB")
    np.testing.assert_array_equal(pipeline.from_array(pixels[..., ::-1], "BGR"), rgb)
    np.testing.assert_array_equal(Pipeline([DecodeImage(channels=1, to_rgb=False), ONE]).from_array(pixels, "RGB"), rgb)


def test_a_manifest_carries_it():
    pipeline = Pipeline([DecodeImage(channels=1, to_rgb=False), ResizeImage(size=8), ONE])
    assert Pipeline([GRAY, ResizeImage(size=8), ONE]) == pipeline  # gray has no order
    again = Pipeline.from_list(pipeline.to_list())
    assert again == pipeline
    assert again.to_list()[0]["DecodeImage"]["channels"] == 1
    assert again.to_list()[-1]["NormalizeImage"]["channel_num"] == 1
    assert pipeline != Pipeline([DecodeImage(), ResizeImage(size=8), NormalizeImage()])


@pytest.mark.parametrize(
    ("ops", "said"),
    [
        ([GRAY, AutoAugment()], "AutoAugment needs colours, .*; remove it"),
        ([GRAY, RandAugment()], "RandAugment needs colours, .*; remove it"),
        ([GRAY, TimmAutoAugment()], "TimmAutoAugment needs colours, .*; remove it"),
        ([GRAY, RandAugmentV2()], "RandAugmentV2 needs colours, .*; remove it"),
        ([GRAY, RandAugmentV3()], "RandAugmentV3 needs colours, .*; remove it"),
        ([GRAY, ColorJitter(0.1, 0.1, 0.1)], "ColorJitter needs colours, .*; write saturation: 0 and hue: 0"),
        ([GRAY, NormalizeImage()], r"a mean for three channels, .* one; write one number each"),
        ([GRAY, RandomErasing(mean=[1, 2, 3])], "RandomErasing has a mean for three channels"),
        ([DecodeImage(), ONE], "a mean for one channel, .* three; write three numbers each"),
    ],
)
def test_what_does_not_suit_the_channels_is_refused_by_name(ops, said):
    with pytest.raises(ValueError, match=said):
        Pipeline(ops)


def test_impossible_channels_are_refused():
    with pytest.raises(ValueError, match="channels is 2; write 1 or 3"):
        DecodeImage(channels=2)
    with pytest.raises(ValueError, match="channel_num is 1, but mean has 3 numbers; leave it out"):
        NormalizeImage(channel_num=1)
    with pytest.raises(ValueError, match="mean has 1 numbers and std 3; write one number per channel"):
        NormalizeImage(mean=[0.5])
