"""Training and evaluation from shards, by the commands that a user types."""

import csv
import json
import re

import numpy as np
import pytest

from helpers.checkout import ROOT
from helpers.in_process import run_script
from helpers.launching import finish_well, launch
from helpers.new_process import new_python
from helpers.pictures import save_class_folders
from ppcls.cli import main
from ppcls.untrusted.unpickle import load_pickle

CONFIG = """
Global: {{epochs: 2, device: cpu, output_dir: output, console: paddleclas, print_batch_step: 1, seed: 3,
  eval_during_train: false}}
Arch: {{name: SqueezeNet1_1, class_num: 4}}
Loss: {{Train: [CELoss: {{}}], Eval: [CELoss: {{}}]}}
Optimizer: {{name: Momentum, lr: {{name: Constant, learning_rate: 0.001}}}}
DataLoader:
  Train:
    dataset:
      name: WebDatasetDataset
      shards: {place}/train/manifest.json
      shuffle_buffer: 5
      transform_ops: [DecodeImage: {{}}, RandCropImage: {{size: 32}}, NormalizeImage: {{}}]
    sampler: {{name: DistributedBatchSampler, batch_size: 2, shuffle: true}}
    loader: {{num_workers: 2}}
  Eval:
    dataset:
      name: WebDatasetDataset
      shards: "{place}/train/train-{{000000..000003}}.tar"
      transform_ops: [DecodeImage: {{}}, ResizeImage: {{size: 32}}, NormalizeImage: {{}}]
    sampler: {{name: DistributedBatchSampler, batch_size: 3}}
    loader: {{num_workers: 2}}
Metric: {{Train: [TopkAcc: {{topk: 1}}], Eval: [TopkAcc: {{topk: 1}}]}}
"""


def run(folder, command, *arguments, code=0):
    """What a command prints, run in this process."""
    ran = run_script(ROOT / "tools" / f"{command}.py", *arguments, folder=folder)
    assert ran.code == code, ran.out + ran.err
    return ran.out + ran.err


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Fourteen pictures in four shards, and a configuration."""
    folder = tmp_path_factory.mktemp("shards")
    save_class_folders(folder / "data", "abcd", 14)
    assert main(["pack", str(folder / "data"), str(folder / "train"), "--shard-count", "4"]) == 0
    (folder / "config.yaml").write_text(CONFIG.format(place=folder))
    return folder


@pytest.fixture(scope="module")
def whole(place):
    """The run that nobody disturbs."""
    run(place, "train", "-c", "config.yaml", "-o", "Global.save_interval_steps=1")
    return place / "output" / "SqueezeNet1_1"


@pytest.mark.slow
def test_a_run_knows_the_classes_and_its_order(whole):
    states = json.loads((whole / "latest" / "ppcls.pdstates").read_text())
    assert (states["epoch"], states["steps_per_epoch"]) == (2, 7)
    assert states["class_names"] == ["a", "b", "c", "d"]
    assert states["order"] == "read from shards (processes 1, workers 2, shuffle_buffer 5)"
    assert (whole / "class_names.txt").read_text() == "0 a\n1 b\n2 c\n3 d\n"


@pytest.mark.slow
def test_a_run_that_is_killed_within_an_epoch_ends_with_the_same_bits(place, whole):
    code = """
import os, sys
from ppcls.cli import main
from ppcls.engine.trainer import Trainer
step = Trainer._step
def dying(self, batch):
    if (self.state.epoch, self.state.step) == (1, 3):
        os._exit(9)
    return step(self, batch)
Trainer._step = dying
main(sys.argv[1:])
"""
    words = ["train", "-c", "config.yaml", "-o", "Global.save_interval_steps=1", "-o", "Global.output_dir=killed"]
    ran = new_python("-c", code, *words, folder=place)
    assert ran.code == 9, ran.err
    resume = [*words, "-o", "Global.checkpoints=killed/SqueezeNet1_1"]
    said = run(place, *resume, "-o", "DataLoader.Train.loader.num_workers=1", code=2)
    order = r"\(processes 1, workers {}, shuffle_buffer 5\)"
    assert re.search(f"{order.format(2)}.*{order.format(1)}", said)
    # Checkpoints are written beside the steps, so the last one may have been under way.
    assert re.search(r"resumed killed/SqueezeNet1_1/latest at epoch 1, step [123]", run(place, *resume))
    ends = [load_pickle(folder / "latest" / "ppcls.pdparams") for folder in (whole, place / "killed" / "SqueezeNet1_1")]
    assert ends[0].keys() == ends[1].keys()
    assert all(np.array_equal(ends[0][name], ends[1][name]) for name in ends[0])


@pytest.mark.slow
def test_evaluation_counts_each_picture_once(place, whole):
    weights = ["-o", f"Global.pretrained_model={whole}/latest"]
    said = run(place, "eval", "-c", "config.yaml", *weights, "--output", "rows.csv")
    assert "counting the pictures of 4 shards; a manifest would save that" in said
    with (place / "rows.csv").open(newline="") as file:
        names = sorted(row["picture"].rpartition(".tar/")[2] for row in csv.DictReader(file))
    assert names == sorted(f"{'abcd'[number % 4]}/{number}" for number in range(14))
    folder = ["-o", f"DataLoader.Eval.dataset={{name: ImageFolder, image_root: {place}/data, transform_ops: "
              "[DecodeImage: {}, ResizeImage: {size: 32}, NormalizeImage: {}]}"]  # fmt: skip
    plain = run(place, "eval", "-c", "config.yaml", *weights, *folder)
    lines = [line for text in (said, plain) for line in text.splitlines() if "END epoch" in line]
    values = [line.partition("valid ")[2].partition(",  ")[0] for line in lines]
    assert len(values) == 2 and values[0] == values[1]


@pytest.mark.slow
def test_two_processes_share_the_shards(place):
    words = ["-c", "config.yaml", "-o", "Global.output_dir=two", "-o", "Global.epochs=1"]
    finish_well(launch(place, "two_log", 2, "tools/train.py", *words), place, "two_log", 2)
    states = json.loads((place / "two" / "SqueezeNet1_1" / "latest" / "ppcls.pdstates").read_text())
    assert (states["epoch"], states["steps_per_epoch"]) == (1, 4)
    assert states["order"] == "read from shards (processes 2, workers 2, shuffle_buffer 5)"
