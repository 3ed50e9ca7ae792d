"""A training that cannot succeed as configured is warned about; one that can is not."""

from types import SimpleNamespace

import numpy as np
import pytest

from helpers.messages import says
from helpers.tiny_run import prepare, use_tiny
from ppcls.config import load_config, shipped_configs
from ppcls.data.labels import ImageList
from ppcls.engine import finetune, processes
from ppcls.engine.prospects import warnings_about
from ppcls.engine.schema import registries
from ppcls.engine.train import train
from ppcls.utils.logging import get_logger

IMAGENET = 1_281_167


OWN = {
    "Metric": {"Train": [], "Eval": [{"TopkAcc": {"topk": 1}}]},
    "Infer": {"PostProcess": {"topk": 1, "class_id_map_file": None}},
}


def load(*overrides, name="DLA34", over=OWN):
    return load_config(name, overrides, registries(), check_paths=False, over=over)


def listed(count, classes, names=None, labels=None):
    labels = np.arange(count) % classes if labels is None else np.array(labels)
    return ImageList(["a.jpg"] * count, labels, names)


def warned(config, pictures, has_weights=True, processes=1):
    batch = config.DataLoader.Train.sampler.batch_size * processes
    return warnings_about(config, pictures, -(-len(pictures) // batch), has_weights)


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_no_recipe_is_warned_about_on_its_own_data(name):
    config = load(name=name, over=None)
    count = 1438 if name == "digits" else IMAGENET
    assert warned(config, listed(count, config.Arch.class_num), has_weights=False) == []


@pytest.mark.parametrize("pretrained", [True, False])
@pytest.mark.parametrize("count", [2, 3, 8, 9, 16, 17, 100, 255, 1000, 20_000])
def test_finetunes_own_plan_is_never_warned_about(tmp_path, monkeypatch, pretrained, count):
    learnt = [(f"{index}.jpg", index % 2) for index in range(count)]
    folder = SimpleNamespace(source="f", root="f", class_names=["a", "b"], train=learnt, val=learnt, notes=[])
    monkeypatch.setattr(finetune, "read_own_pictures", lambda *arguments: folder)
    for name in ("DLA34", "DPN68", "SqueezeNet1_1"):
        config = finetune.plan("f", name, pretrained).config
        assert warned(config, listed(count, 2, ["a", "b"]), has_weights=pretrained) == []


@pytest.mark.parametrize(
    ("overrides", "count", "said"),
    [
        (["DataLoader.Train.sampler.batch_size=64"], 100,
         "DataLoader.Train.sampler.batch_size: 64 makes an epoch of 2 steps of 100 pictures, too few to learn from; "
         "write DataLoader.Train.sampler.batch_size: 8, and a lower learning rate with it"),
        (["DataLoader.Train.sampler.batch_size=512"], 400,
         "DataLoader.Train.sampler.batch_size: 512 makes an epoch of 1 step of 400 pictures, too few to learn from; "
         "write DataLoader.Train.sampler.batch_size: 16,"),
        (["DataLoader.Train.sampler.batch_size=8", "Global.update_freq=16"], 200,
         "DataLoader.Train.sampler.batch_size: 8 makes an epoch of 2 steps of 200 pictures, too few to learn from; "
         "write Global.update_freq: 1, and a lower learning rate with it"),
        (["Optimizer.lr.warmup_epoch=5", "Global.epochs=5"], 6400,
         "Optimizer.lr.warmup_epoch: 5 is as long as the training or longer (Global.epochs: 5, 500 steps), so"),
        (["Optimizer.lr.warmup_steps=501", "Global.epochs=5"], 6400, "Optimizer.lr.warmup_steps: 501 is as long as"),
    ],
)  # fmt: skip
def test_steps_and_warm_up(overrides, count, said):
    (warning,) = warned(load(*overrides, "Arch.class_num=2"), listed(count, 2))
    assert warning == says(f"{said} ...")
    assert "\n" not in warning


@pytest.mark.parametrize(
    ("overrides", "count"),
    [
        (["DataLoader.Train.sampler.batch_size=64"], 129),  # three steps
        (["DataLoader.Train.sampler.batch_size=8"], 9),
        (["Optimizer.lr.warmup_epoch=4", "Global.epochs=5"], 6400),
        (["Optimizer.lr.warmup_steps=499", "Global.epochs=5"], 6400),
    ],
)
def test_what_is_enough_is_not_warned_about(overrides, count):
    assert warned(load(*overrides, "Arch.class_num=2"), listed(count, 2)) == []


def test_an_exported_shape_that_evaluation_does_not_give():
    (warning,) = warned(load("Arch.class_num=2", "Global.image_shape=[3, 64, 96]"), listed(9000, 2))
    assert warning.startswith(
        "Global.image_shape: [3, 64, 96], but the transforms of DataLoader.Eval give [3, 224, 224]"
    )
    assert warning.endswith("; write Global.image_shape: [3, 224, 224]")
    ops = "DataLoader.Eval.dataset.transform_ops=[DecodeImage: {}, NormalizeImage: {}]"  # pictures of any size
    assert warned(load("Arch.class_num=2", "Global.image_shape=[3, 64, 96]", ops), listed(9000, 2)) == []


def test_few_pictures_at_the_full_rate_of_a_recipe():
    config = load("Arch.class_num=2")
    (warning,) = warned(config, listed(4999, 2), has_weights=False)
    assert warning == (
        "Optimizer.lr.learning_rate: 0.1 is for batches of 256 (Global.global_batch), but this training has batches of "
        "64 and begins without weights, with 4,999 pictures; begin with weights (Arch.pretrained: true), or write "
        "Optimizer.lr.scale: linear"
    )
    assert warned(config, listed(4999, 2), has_weights=True) == []
    assert warned(config, listed(5000, 2), has_weights=False) == []
    assert warned(load("Arch.class_num=2", "Optimizer.lr.scale=linear"), listed(4999, 2), has_weights=False) == []
    assert warned(load("Arch.class_num=2", "Global.global_batch=64"), listed(4999, 2), has_weights=False) == []


@pytest.mark.parametrize(
    ("class_num", "labels", "names", "said"),
    [
        (1, [0] * 900, None, "Arch.class_num: 1 ... every answer is right"),
        (1000, [0, 1, 2] * 300, None,
         "Arch.class_num: 1000, ... of 3 classes only, 0 to 2; write Arch.class_num: 3, or ..."),
        (4, [1, 2, 3] * 300, None,
         "Arch.class_num: 4, ... of 3 classes only, 1 to 3; write Arch.class_num: 3, or ..."),
        (2, [1] * 900, None,
         "Arch.class_num: 2, ... of one class, 1, ...; add pictures of the others"),
        (5, [0, 1, 4] * 300, None,
         "Arch.class_num: 5, ... of 3 classes only; add pictures of the others (2, 3), or leave these out ..."),
        (3, [0, 1] * 450, ["ash", "elm", "oak"],
         "Arch.class_num: 3, ... of 2 classes only; add pictures of the others (oak), or leave these out ..."),
    ],
)  # fmt: skip
def test_classes_without_pictures(class_num, labels, names, said):
    (warning,) = warned(load(f"Arch.class_num={class_num}"), listed(len(labels), class_num, names, labels))
    assert warning == says(f"{said} ...")


def test_a_training_says_it_once_in_the_first_process(tmp_path, monkeypatch):
    use_tiny(monkeypatch.setattr)
    prepare(tmp_path, 0)
    seen = []
    monkeypatch.setattr(get_logger(), "warning", lambda text, *rest: seen.append(text % rest))
    few_steps = ["Global.epochs=1", "DataLoader.Train.sampler.batch_size=10"]
    assert train(load_config(tmp_path / "config_0.yaml", few_steps, registries())).epochs == 1
    keys = [text.partition(" ")[0] for text in seen]
    assert keys == ["DataLoader.Train.sampler.batch_size:", "Optimizer.lr.warmup_epoch:"]
    seen.clear()
    monkeypatch.setattr(processes, "is_first", lambda: False)
    elsewhere = [*few_steps, f"Global.output_dir={tmp_path / 'other'}"]
    assert train(load_config(tmp_path / "config_0.yaml", elsewhere, registries())).epochs == 1
    assert seen == []
