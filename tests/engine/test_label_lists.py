"""Tables of pictures with labels that are names, or count from 1, on their way through training and evaluation."""

import csv
import logging
import shutil

import pytest

from helpers.messages import refusal, says
from helpers.pictures import save_picture, solid
from helpers.tiny_run import use_tiny
from ppcls.config import load_config
from ppcls.engine import checkpoint, classes
from ppcls.engine.evaluate import evaluate
from ppcls.engine.schema import registries
from ppcls.engine.train import train as run_training

CONFIG = """
Global: {epochs: 1, device: cpu, output_dir: out, console: paddleclas, image_shape: [3, 16, 16]}
Arch: {name: SqueezeNet1_1, class_num: 3}
Loss: {Train: [CELoss: {}], Eval: [CELoss: {}]}
Optimizer: {name: Momentum, lr: {name: Constant, learning_rate: 0.01}}
DataLoader:
  Train: &part
    dataset:
      name: ImageNetDataset
      image_root: ""
      cls_label_path: train.csv
      transform_ops: [DecodeImage: {}, ResizeImage: {size: 16}, NormalizeImage: {}]
    sampler: {name: DistributedBatchSampler, batch_size: 3}
    loader: {num_workers: 0}
  Eval: *part
Metric: {Eval: [TopkAcc: {topk: 1}]}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    use_tiny(monkeypatch.setattr)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG)
    for index in range(6):
        save_picture(tmp_path / f"{index}.png", solid(40 * index, 16, 16))
    return tmp_path


def write(name, labels):
    with open(name, "w") as file:  # noqa: PTH123
        csv.writer(file).writerows([("image", "label"), *((f"{i}.png", label) for i, label in enumerate(labels))])


def load(command, *overrides):
    return load_config("config.yaml", overrides, registries(), command)


EVAL = "DataLoader.Eval.dataset.cls_label_path=val.csv"


@pytest.mark.parametrize(
    ("train", "val", "names", "numbers"),
    [
        (["rose", "leaf", "sky"] * 2, ["sky", "sky", "rose"], ["leaf", "rose", "sky"], [2, 2, 1]),
        ([1, 2, 3] * 2, [2, 1, 2], ["1", "2", "3"], [1, 0, 1]),  # a validation list without the last class
        ([0, 1, 2] * 2, [1, 0, 1], None, [1, 0, 1]),
    ],
)
def test_labels_of_evaluation_are_those_of_the_training(here, caplog, train, val, names, numbers):
    write("train.csv", train)
    write("val.csv", val)
    assert run_training(load("train", EVAL)).epochs == 1
    best = here / "out/SqueezeNet1_1/best_model"
    assert checkpoint.read(best).states["class_names"] == names
    config = load("eval", EVAL, f"Global.pretrained_model={best}")
    assert evaluate(config, "rows.csv").pictures == 3
    opened = config.DataLoader.Eval.dataset.open(3, classes.learned_classes(config))
    assert opened.labels.tolist() == numbers


@pytest.mark.parametrize(
    ("train", "val", "said"),
    [
        ([0, 1, 2] * 2, [3, 1, 2], "val.csv: labels count from 1, ... DataLoader.Train count from 0"),
        ([1, 2, 3] * 2, [0, 1, 2], "val.csv: labels count from 0, ... (train.csv) count from 1"),
        ([0, 1, 2] * 2, ["a", "b", "c"], "val.csv: labels are names, ... numbers of these classes ..."),
        (["a", "b", "c"] * 2, ["a", "d", "b"], "val.csv:3: the label 'd' ... of the training (train.csv)"),
        (["a", "b", "c"] * 2, [1, 3, 2], "val.csv: the labels count from 1 to 3, ... classes of the training"),
    ],
)
def test_labels_that_do_not_fit_the_trainings_are_refused(here, train, val, said):
    write("train.csv", train)
    write("val.csv", val)
    assert refusal(run_training, load("train", EVAL)) == says(f"{said} ...")


@pytest.mark.parametrize("override", ["{}=", "{}=null", '{}=""'])
def test_an_empty_root_from_the_command_line(here, override):
    """A shell takes the quotation marks away."""
    key = "DataLoader.Train.dataset.image_root"
    write("train.csv", [0, 1, 2] * 2)
    dataset = load(
        "train", f"{key}=gone", override.format(key), EVAL.replace("=val", "=train")
    ).DataLoader.Train.dataset
    assert dataset.image_root == ""
    assert dataset.open(3).paths[0] == "0.png"


def test_folders_beside_a_list_without_names_are_numbered_aloud(here, capsys):
    write("train.csv", [0, 1, 2] * 2)
    for name in ("oak", "elm", "fir"):
        (here / "val" / name).mkdir(parents=True)
        shutil.copy(here / "0.png", here / "val" / name)
    ops = "transform_ops: [DecodeImage: {}, ResizeImage: {size: 16}, NormalizeImage: {}]"
    folder = f"DataLoader.Eval.dataset={{name: ImageFolder, image_root: val, {ops}}}"
    said = "val: folders are numbered in the order of their names, so class 0 is elm, because the classes"
    assert run_training(load("train", folder)).epochs == 1
    assert f"WARNING: {said}" in capsys.readouterr().out
    weights = "Global.pretrained_model=out/SqueezeNet1_1/latest"
    assert evaluate(load("eval", folder, weights)).pictures == 3
    assert f"INFO: {said}" in capsys.readouterr().out


def test_a_file_of_names_says_the_numbers(here, caplog):
    """For weights that know no names."""
    (here / "names.txt").write_text("sky\nrose\nleaf\n")
    write("train.csv", [0, 1, 2] * 2)
    write("val.csv", ["rose", "leaf", "leaf"])
    names = "DataLoader.Eval.dataset.class_names=names.txt"
    caplog.set_level(logging.INFO, "ppcls")
    assert run_training(load("train", EVAL, names)).epochs == 1
    assert load("train", EVAL, names).DataLoader.Eval.dataset.open(3).labels.tolist() == [1, 2, 2]
