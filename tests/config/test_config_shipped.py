"""Every shipped configuration, by the library's own components."""

import dataclasses
import functools
import re
from pathlib import Path

import pytest

from helpers.checkout import ROOT
from ppcls.arch.model_table import MODELS
from ppcls.config import find_config, load_config, shipped_configs
from ppcls.config.load import load_deploy_config
from ppcls.engine.schema import registries
from ppcls.utils.errors import ConfigError

LEAVES = sorted(path for path in (ROOT / "configs").rglob("*.yaml") if "_base_" not in path.parts)
# The recipes of distillation have tests of their own.
RECIPES = sorted(path for path in LEAVES if path.parent.name != "demo" and "_distill_" not in path.stem)
EVERY, EVERY_RECIPE = ([pytest.param(path, id=path.stem) for path in paths] for paths in (LEAVES, RECIPES))
# A configuration's model where it is not the file's name.
NAMES = {"DLA60_best": "DLA60", "digits": "DLA46_c", "DLA34_distill_DLA102": "DistillationModel"}
PIECEWISE, COSINE = "Piecewise", "Cosine"
# By family: learning rate, schedule, epochs, global batch, mixup, smoothing, L2, warm-up in epochs.
TABLE = {
    "DLA": (0.1, PIECEWISE, 120, 256, None, None, 1e-4, 0),
    "DLA60_best": (0.04, COSINE, 120, 512, 0.2, 0.1, 1e-4, 5),
    "DPN": (0.1, COSINE, 200, 256, 0.2, 0.1, 1e-4, 0),
    "SENet": (0.1, COSINE, 200, 256, 0.2, 0.1, 7e-5, 0),
    "DarkNet": (0.1, COSINE, 200, 256, 0.2, 0.1, 1e-4, 0),
    "AlexNet": (0.01, PIECEWISE, 120, 256, None, None, 1e-4, 0),
    "SqueezeNet": (0.02, COSINE, 120, 512, None, None, 1e-4, 0),
}
BEST_ERROR = (22.334, 5.996)


def load(path, *overrides, command="train"):
    return load_config(path, overrides, registries(), command)


def test_there_is_one_for_every_model_and_the_best_of_dla60():
    recipes = {path.stem: path for path in RECIPES}
    assert recipes.pop("DLA60_best").parent.name == "DLA"
    assert set(recipes) >= {name for name, model in MODELS.items() if model.published}
    for name, path in recipes.items():
        assert path == ROOT / "configs" / MODELS[name].family / f"{name}.yaml"


@pytest.mark.parametrize("command", ["train", "eval", "infer", "export"])
@pytest.mark.parametrize("path", EVERY)
def test_every_one_loads_for_every_command(path, command, imagenet):
    overrides = ["Infer.infer_imgs=."] if command == "infer" else []
    assert load(path, *overrides, command=command).Arch.name == NAMES.get(path.stem, path.stem)


@pytest.mark.parametrize("path", [path for path in RECIPES if path.parent.name in TABLE], ids=lambda path: path.stem)
def test_the_recipe_is_that_of_the_table(path, imagenet):
    config = load(path)
    rate, schedule, epochs, batch, mixup, smoothing, decay, warmup = TABLE.get(path.stem) or TABLE[path.parent.name]
    train = config.DataLoader.Train
    assert (config.Global.epochs, config.Global.global_batch, train.sampler.batch_size) == (epochs, batch, batch // 4)
    assert type(config.Optimizer).__name__ == "Momentum"
    assert (config.Optimizer.momentum, config.Optimizer.regularizer.coeff) == (0.9, decay)
    lr = config.Optimizer.lr
    assert (type(lr).__name__, lr.learning_rate, lr.warmup_epoch) == (schedule, rate, warmup)
    assert [op.alpha for op in train.dataset.batch_transform_ops] == ([mixup] if mixup else [])
    assert [(loss.weight, loss.epsilon) for loss in config.Loss.Train] == [(1.0, smoothing)]
    assert [(loss.weight, loss.epsilon) for loss in config.Loss.Eval] == [(1.0, None)]
    assert [metric.ks for metric in config.Metric.Eval] == [(1, 5)]
    assert len(config.Metric.Train) == (0 if mixup else 1)
    assert (train.sampler.shuffle, train.sampler.drop_last) == (True, False)
    assert config.DataLoader.Eval.sampler.shuffle is False


@pytest.mark.parametrize("name", ["DLA34", "AlexNet"])
def test_a_tenth_after_30_60_and_90_epochs(name, imagenet):
    config = load(find_config(name))
    lr = functools.partial(config.Optimizer.lr.lr_at, steps_per_epoch=10, epochs=120)
    rate = TABLE[MODELS[name].family][0]
    found = [lr(step) for step in (0, 299, 300, 599, 600, 899, 900, 1199)]
    assert found == pytest.approx([rate * power for power in (1, 1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001)])


@pytest.mark.parametrize("path", EVERY_RECIPE)
def test_the_pictures_are_those_of_the_model(path, imagenet):
    config, model = load(path), MODELS[NAMES.get(path.stem, path.stem)]
    channels, height, width = config.Global.image_shape
    assert (channels, height, width) == tuple(model.input_size)
    train = {type(op).__name__: op for op in config.DataLoader.Train.dataset.transform_ops}
    held_out = {type(op).__name__: op for op in config.DataLoader.Eval.dataset.transform_ops}
    assert list(train) == ["DecodeImage", "RandCropImage", "RandFlipImage", "NormalizeImage"]
    assert list(held_out) == ["DecodeImage", "ResizeImage", "CropImage", "NormalizeImage"]
    assert train["RandCropImage"].size == held_out["CropImage"].size == width
    assert held_out["ResizeImage"].resize_short == model.resize_short
    way = "bicubic" if path.stem == "DLA60_best" else "bilinear"
    assert train["RandCropImage"].interpolation == held_out["ResizeImage"].interpolation == way
    assert train["NormalizeImage"] == held_out["NormalizeImage"]
    assert train["NormalizeImage"].scale == 1 / 255
    assert train["NormalizeImage"].mean == (0.485, 0.456, 0.406)
    assert train["NormalizeImage"].std == (0.229, 0.224, 0.225)
    assert train["DecodeImage"].to_rgb is held_out["DecodeImage"].to_rgb is True


@pytest.mark.parametrize("path", EVERY_RECIPE)
def test_the_head_says_command_devices_batch_and_accuracy(path, imagenet):
    config, lines = load(path), path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"# python tools/train.py -c {path.relative_to(ROOT).as_posix()}"
    found = re.fullmatch(
        r"# (\d+) devices x (\d+) = global batch (\d+), (\d+) epochs; "
        r"published by (PaddleClas|timm): top-1 (\d\d\.\d\d), top-5 (\d\d\.\d\d)",
        lines[1],
    )
    devices, per_process, batch, epochs = map(int, found.groups()[:4])
    assert (devices, per_process) == (4, config.DataLoader.Train.sampler.batch_size)
    assert (batch, epochs) == (devices * per_process, config.Global.epochs)
    if path.stem == "DLA60_best":
        published = tuple(100 - error for error in BEST_ERROR)
    else:
        row = MODELS[path.stem].published[found[5].lower()]
        published = (row.top1, row.top5)
    assert (float(found[6]), float(found[7])) == pytest.approx(published, abs=0.0051)
    assert len(lines) == 4


@pytest.mark.parametrize("path", EVERY_RECIPE)
def test_it_is_found_by_name_and_reads_back(path, imagenet):
    assert find_config(path.stem).resolve() == path
    config = load(path)
    Path("resolved.yaml").write_text(config.to_yaml(), encoding="utf-8")
    again = load("resolved.yaml")
    assert again == config
    assert again.Infer.PostProcess.class_id_map_file == config.Infer.PostProcess.class_id_map_file


def test_one_recipe_a_file_and_the_data_once():
    bases = sorted((ROOT / "configs" / "_base_").glob("*.yaml"))
    texts = [path.read_text(encoding="utf-8") for path in bases]
    assert sum("ILSVRC2012" in text for text in texts) == 1
    recipe_lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in (*bases, *RECIPES))
    assert recipe_lines < 275
    assert set(shipped_configs()) == {path.stem for path in LEAVES}


def test_the_global_batch_can_be_overridden_and_scaled(imagenet):
    config = load(find_config("DLA34"), "Optimizer.lr.scale=linear")
    assert config.Optimizer.lr.factor(64, config.Global.global_batch) == 0.25
    assert dataclasses.replace(config.Global, global_batch=None) != config.Global


def test_the_deployment_configuration_is_there():
    Path("inference").mkdir()
    config = load_deploy_config("inference_cls", ["Global.infer_imgs=."])
    assert config.Global.inference_model_dir == "./inference"


@pytest.mark.parametrize("command", ["train", "eval", "infer", "export"])
def test_a_model_without_a_classifier_is_for_no_command(command):
    with pytest.raises(ConfigError) as error:
        load_config("DLA34", ["Arch.class_num=0"], registries(), command, check_paths=False)
    (found,) = str(error.value).splitlines()
    assert "Arch.class_num=0: is 0, " in found and f", and {command} needs one; write at least 1" in found
