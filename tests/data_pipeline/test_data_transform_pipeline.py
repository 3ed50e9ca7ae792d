from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import says
from helpers.new_process import modules_loaded_by
from helpers.pictures import encoded, noise, numbered
from ppcls.data.transforms import (
    TRANSFORMS,
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
    RandomGrayscale,
    ResizeImage,
    TimmAutoAugment,
    ToCHWImage,
    Transform,
    UnreadableImage,
)
from ppcls.utils.errors import UserError

PLAIN = NormalizeImage(scale=1.0, mean=(0, 0, 0), std=(1, 1, 1))
COLORED = (AutoAugment, RandAugment, RandAugmentV2, RandAugmentV3, TimmAutoAugment, RandomGrayscale, ColorJitter)
EVAL = (DecodeImage(), ResizeImage(resize_short=256), CropImage(224), NormalizeImage())


def test_names_are_paddleclas() -> None:
    assert sorted(TRANSFORMS) == [
        "AutoAugment", "CenterCrop", "ColorJitter", "CropImage", "Cutout", "DecodeImage", "GaussianBlur", "GridMask",
        "HideAndSeek", "NormalizeImage", "Pad", "RandAugment", "RandAugmentV2", "RandAugmentV3", "RandCropImage",
        "RandFlipImage", "RandomErasing", "RandomGrayscale", "RandomRotation", "ResizeImage", "TimmAutoAugment",
        "ToCHWImage",
    ]  # fmt: skip


def test_a_file_becomes_planes_of_float32() -> None:
    result = Pipeline([DecodeImage(), CropImage([4, 2]), PLAIN])(encoded(numbered(8, 6)))
    assert result.dtype == np.float32 and result.flags.c_contiguous
    assert result.tolist() == [[[2, 3, 4, 5]] * 2, [[2] * 4, [3] * 4], [[200] * 4] * 2]
    cut_last = Pipeline([DecodeImage(), PLAIN, CropImage([4, 2])])(encoded(numbered(8, 6)))
    assert cut_last.flags.c_contiguous and np.array_equal(cut_last, result)


def test_the_transposition_may_be_written_or_not() -> None:
    data = encoded(noise(6, 4))
    written = Pipeline([DecodeImage(), PLAIN, ToCHWImage()])
    before = Pipeline([DecodeImage(), ToCHWImage(), NormalizeImage(1.0, (0, 0, 0), (1, 1, 1), "chw")])
    left_out = Pipeline([DecodeImage(), PLAIN])
    assert np.array_equal(written(data), left_out(data)) and np.array_equal(before(data), left_out(data))
    assert written == before == left_out
    assert len({written, before, left_out}) == 1


def test_without_normalisation_values_stay() -> None:
    picture = noise(3, 2)
    result = Pipeline([DecodeImage()])(encoded(picture))
    assert result.dtype == np.float32 and np.array_equal(result, picture.transpose(2, 0, 1))


def test_arrays_state_their_channel_order() -> None:
    picture = noise(5, 4)
    for to_rgb, color in ((True, "RGB"), (False, "BGR")):
        pipeline = Pipeline([DecodeImage(to_rgb=to_rgb), NormalizeImage()])
        assert pipeline.color == color
        expected = pipeline(encoded(picture))
        assert np.array_equal(pipeline.from_array(picture, "RGB"), expected)
        assert np.array_equal(pipeline.from_array(picture[..., ::-1], "BGR"), expected)
    with pytest.raises(ValueError, match="color is 'rgb'; write 'RGB' or 'BGR'"):
        pipeline.from_array(picture, "rgb")


def test_a_file_that_cannot_be_read_carries_its_path(tmp_path: Path) -> None:
    pipeline = Pipeline([DecodeImage()])
    path = tmp_path / "a.png"
    for content, reason in ((None, "No such file or directory"), (b"", "the file is empty")):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UnreadableImage) as caught:
            pipeline.from_file(path)
        assert (caught.value.path, caught.value.reason) == (str(path), reason)
        assert str(caught.value) == f"cannot read the picture {path}: {reason}"
    path.write_bytes(encoded(numbered(2, 2)))
    assert np.array_equal(pipeline.from_file(path), pipeline(path.read_bytes()))


def test_output_size() -> None:
    assert Pipeline(EVAL).output_size == (3, 224, 224)
    assert Pipeline(EVAL[:2]).output_size is None
    assert Pipeline([DecodeImage(), ResizeImage(size=[30, 20]), ResizeImage(resize_short=10)]).output_size == (
        3,
        10,
        15,
    )
    assert Pipeline([DecodeImage(), RandCropImage([8, 9]), RandFlipImage()]).output_size == (3, 9, 8)


def test_draws_says_whether_a_generator_is_needed() -> None:
    assert not Pipeline(EVAL).draws
    assert Pipeline([DecodeImage(), RandFlipImage()]).draws and Pipeline([DecodeImage(), RandCropImage(8)]).draws


def test_pipelines_of_one_meaning_are_equal() -> None:
    decode, resize, crop, normalize = EVAL
    same = [
        Pipeline([decode, resize, CropImage([224, 224]), normalize, ToCHWImage()]),
        Pipeline([decode, resize, normalize, crop]),
        Pipeline([decode, resize, crop, NormalizeImage(scale="1.0/255.0", order="hwc")]),
    ]
    for other in same:
        assert other == Pipeline(EVAL) and other.to_list() != Pipeline(EVAL).to_list()
        assert other.normalized().to_list() == Pipeline(EVAL).normalized().to_list()
    flips = [Pipeline([decode, *ops]) for ops in ((RandFlipImage(), normalize), (normalize, RandFlipImage()))]
    assert flips[0] == flips[1] != Pipeline([decode, normalize])
    different = [
        [DecodeImage(to_rgb=False), resize, crop, normalize],
        [DecodeImage(backend="pil"), resize, crop, normalize],
        [decode, ResizeImage(resize_short=256, interpolation="bicubic"), crop, normalize],
        [decode, resize, CenterCrop(224), normalize],
        [decode, crop, resize, normalize],
        [decode, resize, crop],
        [decode, resize, crop, NormalizeImage(std=(1, 1, 1))],
        [decode, normalize, resize, crop],
    ]
    assert all(Pipeline(ops) != Pipeline(EVAL) for ops in different)
    assert Pipeline(EVAL) != "pipeline"


movers = st.sampled_from([CropImage(9), CenterCrop([7, 8]), RandFlipImage(1), RandFlipImage(-1), CropImage([9, 6])])
resizers = st.sampled_from([ResizeImage(resize_short=14), RandCropImage(12, backend="pil"), ResizeImage(size=(13, 11))])


@given(st.lists(resizers, max_size=2), st.lists(movers, max_size=2), st.lists(movers, max_size=2), st.booleans())
def test_the_canonical_pipeline_gives_the_same_bits(first: list, second: list, third: list, transposed: bool) -> None:
    ops = [DecodeImage(), *first, *second, NormalizeImage(), *third, *[ToCHWImage()] * transposed]
    pipeline = Pipeline(ops)

    def run(one: Pipeline) -> tuple:
        try:
            return "result", one(encoded(noise(20, 17)), np.random.default_rng(5)).tobytes()
        except UserError as error:
            return "error", str(error)

    assert run(pipeline) == run(pipeline.normalized())
    assert pipeline == pipeline.normalized() == pipeline.normalized().normalized()


def test_a_pipeline_survives_yaml() -> None:
    ops = [
        DecodeImage(to_rgb=False),
        RandCropImage([8, 6], scale=(0.5, 1)),
        RandFlipImage(0),
        NormalizeImage(),
        ToCHWImage(),
    ]
    listed = Pipeline(ops).to_list()
    assert listed[1] == {
        "RandCropImage": {
            "size": [8, 6], "scale": [0.5, 1.0], "ratio": [3 / 4, 4 / 3], "interpolation": "bilinear", "backend": "cv2",
            "sampling": "paddleclas", "use_log_aspect": False,
        }
    }  # fmt: skip
    assert listed[4] == {"ToCHWImage": {}}
    restored = Pipeline.from_list(yaml.safe_load(yaml.safe_dump(listed)))
    assert restored.ops == tuple(ops)
    assert Pipeline.from_list([{"DecodeImage": None}, {"CropImage": {"size": 3}}]).ops == (DecodeImage(), CropImage(3))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"DecodeImag": None}], "named 'DecodeImag' .did you mean DecodeImage"),
        ([{"DecodeImage": {"rgb": True}}], "DecodeImage: unknown key 'rgb'. Did you mean 'to_rgb'"),
        (["DecodeImage"], "'DecodeImage' is not a transform; write its name with its keys"),
        ([{"DecodeImage": None, "CropImage": None}], "is not a transform"),
    ],
)  # fmt: skip
def test_unknown_entries_are_refused(entries: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Pipeline.from_list(entries)


@pytest.mark.parametrize(
    ("ops", "message"),
    [
        ([], "... with DecodeImage; write `- DecodeImage: {to_rgb: True}` first"),
        ([CropImage(2)], "transforms start with DecodeImage, not CropImage; write"),
        ([DecodeImage(), DecodeImage()], "DecodeImage stands twice; write it once, first"),
        ([DecodeImage(), ToCHWImage(), CropImage(2)], "CropImage stands after ToCHWImage; write ToCHWImage last"),
        ([DecodeImage(), ToCHWImage(), ToCHWImage()], "ToCHWImage stands after ToCHWImage; write ToCHWImage last"),
        (
            [DecodeImage(), NormalizeImage(order="chw")],
            "NormalizeImage has order 'chw' ... ToCHWImage; write order: ''",
        ),
        (
            [DecodeImage(), ToCHWImage(), NormalizeImage()],
            "NormalizeImage has order '' ... ToCHWImage; write order: chw",
        ),
        (
            [DecodeImage(), PLAIN, ResizeImage(size=2, backend="pil")],
            "ResizeImage ... NormalizeImage; write it before, or backend: cv2",
        ),
        (
            [DecodeImage(), PLAIN, RandCropImage(2, backend="pil")],
            "RandCropImage ... NormalizeImage; write it before, or backend: cv2",
        ),
        *(
            ([DecodeImage(), PLAIN, augment()], f"{augment.__name__} stands after NormalizeImage; write it before")
            for augment in COLORED
        ),
        *(
            (
                [DecodeImage(to_rgb=False), augment()],
                f"{augment.__name__} takes pictures in RGB; write to_rgb: True in DecodeImage",
            )
            for augment in COLORED
        ),
        (
            [DecodeImage(), PLAIN, ToCHWImage(), RandomErasing()],
            "RandomErasing stands after ToCHWImage; write ToCHWImage last",
        ),
    ],
)
def test_impossible_orders_are_refused(ops: list, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Pipeline(ops)
    assert str(caught.value) == says(f"{message} ...")


def test_what_augments_stands_where_paddleclas_has_it() -> None:
    ops = [DecodeImage(), RandCropImage(8), RandFlipImage(), AutoAugment(), RandAugment(), ColorJitter(0.4, 0.4, 0.4)]
    pipeline = Pipeline([*ops, NormalizeImage(), RandomErasing(EPSILON=1), ToCHWImage()])
    assert pipeline.draws and pipeline.output_size == (3, 8, 8) and pipeline.normalized() == pipeline
    results = [pipeline(encoded(noise(20, 16)), np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert results[0].shape == (3, 8, 8) and results[0].dtype == np.float32
    assert np.array_equal(results[0], results[1]) and not np.array_equal(results[0], results[2])
    assert Pipeline.from_list(yaml.safe_load(yaml.safe_dump(pipeline.to_list()))).ops == pipeline.ops
    assert Pipeline([DecodeImage(to_rgb=False), RandomErasing()]).color == "BGR"


def test_floats_can_be_resized_by_opencv() -> None:
    result = Pipeline([DecodeImage(), PLAIN, ResizeImage(size=(2, 1))])(encoded(np.tile(noise(1, 1), (2, 4, 1))))
    assert np.array_equal(result, np.broadcast_to(noise(1, 1).reshape(3, 1, 1), (3, 1, 2)))


def test_a_transform_of_ones_own_takes_part() -> None:
    @dataclass(frozen=True)
    class Invert(Transform):
        def __call__(self, image: np.ndarray, rng: object = None) -> np.ndarray:
            return 255 - image

    picture = noise(3, 2)
    assert np.array_equal(Pipeline([DecodeImage(), Invert()])(encoded(picture)), 255 - picture.transpose(2, 0, 1))


def test_transforms_need_no_paddle() -> None:
    modules = ("transforms", "postprocess", "labels", "datasets", "sampler", "batch_transforms", "loader")
    statement = "import " + ", ".join(f"ppcls.data.{name}" for name in modules)
    assert "paddle" not in modules_loaded_by(statement)


NEEDED = {"Pad": {"padding": 3}, "ResizeImage": {"size": [30, 20]}, "RandomRotation": {"degrees": 20}}


@pytest.mark.parametrize("name", sorted({*TRANSFORMS} - {"DecodeImage", "NormalizeImage", "ToCHWImage"}))
def test_the_bytes_before_the_normalisation_are_enough(name: str) -> None:
    keys = NEEDED.get(name, {"size": 16} if "Crop" in name else {})
    pipeline = Pipeline([DecodeImage(), TRANSFORMS[name](**keys), NormalizeImage()])
    pixels, data = pipeline.pixels(), encoded(noise(48, 40))
    assert pixels is not None
    for seed in range(4):
        whole, planes = (way(data, np.random.default_rng(seed)) for way in (pipeline, pixels))
        assert planes.dtype == np.uint8 and planes.shape == whole.shape
        normalised = pixels.normalize.looked_up(planes[None], np.empty((1, *whole.shape), np.float32))
        assert np.array_equal(normalised[0], whole)
