"""`ppcls.data.transforms.for_model`: the transforms of a model follow its weights, and otherwise its recipe."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from ppcls.arch import build_model
from ppcls.arch.catalog import BACKBONES
from ppcls.arch.weights.files import write_weights
from ppcls.arch.weights.fit import outline
from ppcls.arch.weights.layouts import known_layouts, to_layout
from ppcls.arch.weights.load import Found, build_with_weights
from ppcls.arch.weights.sources import MODELS, Preprocessing, find_source, preprocessing_of, weights_of
from ppcls.config import load_config
from ppcls.data.transforms import Pipeline, for_model
from ppcls.engine.schema import registries
from ppcls.utils.errors import UserError

ROWS = [row for model in MODELS for row in weights_of(model)]


def described(name, preprocessing=None, in_channels=3):
    """What `for_model` reads of a model."""
    params = SimpleNamespace(in_channels=in_channels)
    return SimpleNamespace(preprocessing=preprocessing or preprocessing_of(name), params=params)


@pytest.mark.parametrize("name", MODELS)
def test_without_weights_they_are_those_of_the_recipe(name):
    recipe = load_config(name, [], registries(), check_paths=False).DataLoader
    train, evaluation = for_model(described(name))
    assert evaluation == Pipeline(recipe.Eval.dataset.transform_ops)
    assert train == Pipeline(recipe.Train.dataset.transform_ops)


def test_a_model_has_them_before_it_has_weights():
    for name in ("DLA34", "DarkNet53"):
        assert outline(BACKBONES[name](name)).preprocessing == preprocessing_of(name)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.model}-{row.source}" for row in ROWS])
def test_published_weights_bring_their_own(row):
    train, evaluation = for_model(described(row.model, row.preprocessing))
    has = row.preprocessing
    assert evaluation == Pipeline.from_list(has.transform_ops())
    assert train.output_size == evaluation.output_size == (3, has.size, has.size)
    decode, crop, flip, normalize = train.to_list()
    assert crop["RandCropImage"]["interpolation"] == has.interpolation
    assert crop["RandCropImage"]["backend"] == decode["DecodeImage"]["backend"] == has.backend
    assert (normalize["NormalizeImage"]["mean"], normalize["NormalizeImage"]["std"]) == (list(has.mean), list(has.std))
    assert list(flip) == ["RandFlipImage"]


def saved(tmp_path, name, source, record=None):
    """A file of a model in the layout of a source."""
    row = find_source(name, source)
    layout = next(layout for layout in known_layouts(name) if layout.source == source)
    arrays = to_layout(build_model(name, class_num=3, **row.arguments), layout)
    return write_weights(tmp_path / f"{source}.safetensors", arrays, record).path


def test_a_model_that_is_built_with_weights_follows_them(tmp_path):
    row = find_source("SqueezeNet1_1", "torchvision")
    file = saved(tmp_path, "SqueezeNet1_1", "torchvision")
    for model in (
        build_model("SqueezeNet1_1", class_num=3, pretrained=file),
        build_model("SqueezeNet1_1", class_num=5, pretrained=file),  # with a new classifier
        build_with_weights(BACKBONES["SqueezeNet1_1"]("SqueezeNet1_1", class_num=3), Found(file, row)).model,
    ):
        assert model.preprocessing == row.preprocessing != preprocessing_of("SqueezeNet1_1")
        model.reset_classifier(7)
        parallel = SimpleNamespace(_layers=model)  # paddle.DataParallel's name
        assert for_model(parallel) == for_model(model) == for_model(described("", row.preprocessing))


def test_what_a_file_records_prevails(tmp_path):
    recorded = Preprocessing(64, 80, "bicubic", "pil", (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    arguments = {"stem_padding": 0, "ceil_pooling": True}
    record = {"model": "SqueezeNet1_1", "arguments": arguments, "preprocessing": dataclasses.asdict(recorded)}
    model = build_model(
        "SqueezeNet1_1", class_num=3, pretrained=saved(tmp_path, "SqueezeNet1_1", "torchvision", record)
    )
    assert model.preprocessing == recorded
    assert for_model(model).evaluation.output_size == (3, 64, 64)


def test_a_dictionary_brings_that_of_its_layout():
    row = find_source("SqueezeNet1_1", "torchvision")
    layout = next(layout for layout in known_layouts("SqueezeNet1_1") if layout.source == "torchvision")
    model = build_model("SqueezeNet1_1", class_num=3, **row.arguments)
    foreign, own = to_layout(model, layout), model.state_dict()
    model.set_state_dict(own)
    assert model.preprocessing == preprocessing_of("SqueezeNet1_1")
    model.set_state_dict(foreign)
    assert model.preprocessing == row.preprocessing
    model.set_state_dict(own)  # as a checkpoint of its further training
    assert model.preprocessing == row.preprocessing


def test_gray_models():
    train, evaluation = for_model(described("DLA34", in_channels=1))
    assert train.output_size == evaluation.output_size == (1, 224, 224)
    normalize = evaluation.to_list()[-1]["NormalizeImage"]
    assert normalize["mean"] == pytest.approx([(0.485 + 0.456 + 0.406) / 3])
    assert normalize["std"] == pytest.approx([(0.229 + 0.224 + 0.225) / 3])
    white = np.full((300, 300, 3), 255, np.uint8)
    assert evaluation(white) == pytest.approx(np.full((1, 224, 224), (1 - 0.449) / 0.226), abs=1e-5)


def test_they_are_used_as_pipelines():
    picture = np.random.default_rng(0).integers(0, 256, (300, 320, 3), dtype=np.uint8)
    small = Preprocessing(size=32, resize_short=40)
    train, evaluation = for_model(described("", small))
    np.testing.assert_array_equal(evaluation(picture), Pipeline.from_list(small.transform_ops())(picture))
    one, again, other = (train(picture, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one.shape == (3, 32, 32)
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_what_is_no_model_of_ours():
    with pytest.raises(UserError, match=r"^a Linear does not say what its pictures look like; give a model that build"):
        for_model(paddle.nn.Linear(2, 2))
    with pytest.raises(UserError, match=r"^the model reads 4 channels \(in_channels\), and pictures have 1 or 3$"):
        for_model(described("DLA34", in_channels=4))
