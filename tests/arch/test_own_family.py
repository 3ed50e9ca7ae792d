"""The family of docs/add_a_backbone.md, in a file outside of the package, through the commands that the page shows."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from helpers.checkout import ROOT
from helpers.forks import Fork
from helpers.pictures import save_class_folders
from ppcls.arch import build_model
from ppcls.cli import main
from ppcls.utils import user_code

PAGE = ROOT / "docs" / "add_a_backbone.md"
SHORTER = [f"-o {key}" for key in ("Global.epochs=1", "Global.device=cpu", "Global.global_batch=2")]
SHORTER += [f"-o DataLoader.{mode}.{key}" for mode in ("Train", "Eval") for key in ("sampler.batch_size=2",)]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


FAMILY, FACTS = blocks("python")
(CONFIG,) = blocks("yaml")
COMMANDS = blocks("bash")[0].splitlines()


class Ran:
    """A command in a fork of this process, where what it registers stays."""

    def __init__(self, line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)
        _, *words = shlex.split(line)
        out, err = folder / "out.txt", folder / "err.txt"
        with out.open("w") as stdout, err.open("w") as stderr:
            self.code = Fork(lambda: raise_code(main(words)), stdout, stderr).wait()
        self.out, self.err = out.read_text(), err.read_text()


def raise_code(code: int) -> None:
    raise SystemExit(code)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(user_code.VARIABLE, raising=False)
    (tmp_path / "tiny_net.py").write_text(FAMILY)
    (tmp_path / "flowers.yaml").write_text(CONFIG)
    for part in ("train", "val"):
        save_class_folders(tmp_path / "flowers" / part, ("daisy", "rose", "tulip"), 6)
    return tmp_path


def test_the_page_s_commands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary, train, evaluate, export, predict = COMMANDS
    ran = Ran(summary, folder, monkeypatch)
    assert (ran.code, ran.err) == (0, "")
    # (3 x 16 + 16 x 32 + 32 x 64) x 9 weights, 2 x (16 + 32 + 64) of batch norm, 64 x 1000 + 1000 of the classifier
    assert re.search(r"Trainable parameters +88,696\n", ran.out)
    # 112 x 112, 56 x 56 and 28 x 28 positions of these weights, and the classifier's
    macs = 9 * (3 * 16 * 112**2 + 16 * 32 * 56**2 + 32 * 64 * 28**2) + 64_000
    assert f" {macs:,}\n" in ran.out

    ran = Ran(f"{train} {' '.join(SHORTER)}", folder, monkeypatch)
    assert (ran.code, ran.err) == (0, "")
    digest = hashlib.sha256(FAMILY.encode()).hexdigest()
    assert f"user code: {folder / 'tiny_net.py'} (sha256 {digest})" in ran.out
    assert f"user code: {folder / 'tiny_net.py'} (sha256 {digest})" in (folder / "output/TinyNet/train.log").read_text()
    states = json.loads((folder / "output/TinyNet/latest/ppcls.pdstates").read_text())
    assert states["user_code"] == {"tiny_net.py": digest}
    following = [line for line in ran.out.splitlines() if " -c output/TinyNet/config.yaml" in line]
    assert len(following) == 2
    assert all(line.endswith(f" --import {folder / 'tiny_net.py'}") for line in following)

    ran = Ran(evaluate, folder, monkeypatch)
    assert (ran.code, ran.err.startswith("weights: output/TinyNet/best_model")) == (0, True)
    assert re.search(r"eval   top1 [01]\.\d+", ran.out)

    ran = Ran(export, folder, monkeypatch)
    assert (ran.code, ran.err.count("\n")) == (0, 1)
    assert "exported to" in ran.out
    ran = Ran(predict, folder, monkeypatch)
    assert (ran.code, ran.err) == (0, "")
    assert len(re.findall(r"class id\(s\): \[[012]", ran.out)) == 6


def test_the_child_of_an_export_has_the_family_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    *_, export, _ = COMMANDS
    ran = Ran(f"{export} --untrained --format pdmodel", folder, monkeypatch)
    assert (ran.code, ran.err) == (0, "")
    assert (folder / "inference/inference.pdmodel").stat().st_size > 1000


def test_finetune_has_no_recipe_for_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = Ran("ppcls finetune flowers --arch TinyNet --import tiny_net.py", folder, monkeypatch)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith("--arch TinyNet: finetune has no recipe for this model")


def test_a_resumed_run_with_other_code_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, train, *_ = COMMANDS
    assert Ran(f"{train} {' '.join(SHORTER)}", folder, monkeypatch).code == 0
    before = hashlib.sha256(FAMILY.encode()).hexdigest()
    changed = FAMILY + "# changed\n"
    (folder / "tiny_net.py").write_text(changed)
    again = f"{train} {' '.join(SHORTER)} -o Global.epochs=2 -o Global.checkpoints=output/TinyNet/latest"
    ran = Ran(again, folder, monkeypatch)
    after = hashlib.sha256(changed.encode()).hexdigest()
    (line,) = [line for line in ran.out.splitlines() if "WARNING" in line and "user code" in line]
    assert (ran.code, f"tiny_net.py has sha256 {after}, not {before}" in line) == (0, True)


def load_into_tiny_net(shapes: dict[str, list[int]]) -> None:
    importlib.import_module("tiny_net")
    model = build_model("TinyNet", width=8, class_num=3)
    print(model.set_state_dict({key: np.ones(shape, "float32") for key, shape in shapes.items()}))


def test_the_facts_of_the_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "tiny_net.py").write_text(FAMILY + FACTS)
    ran = Ran("ppcls models 'Tiny*' --json --import tiny_net.py", folder, monkeypatch)
    (row,) = json.loads(ran.out)
    assert (row["input_size"], row["trainable_params"], row["weights"]) == ([3, 64, 64], None, ["my_lab"])
    ran = Ran("ppcls models 'Tiny*' --import tiny_net.py", folder, monkeypatch)
    words = ["TinyNet", "TinyNet", "-", "-", "64x64", "-", "-", "-", "my_lab"]
    assert ran.out.splitlines()[1].split() == words
    ran = Ran("ppcls summary TinyNet --import tiny_net.py", folder, monkeypatch)
    assert "[64, 8, 8]" in ran.out
    torch = {
        "conv1.weight": [8, 3, 3, 3],
        **{f"bn1.{leaf}": [8] for leaf in ("weight", "bias", "running_mean", "running_var")},
        "layers.1.0.weight": [16, 8, 3, 3],
        **{f"layers.1.1.{leaf}": [16] for leaf in ("weight", "bias", "running_mean", "running_var")},
        "layers.2.0.weight": [32, 16, 3, 3],
        **{f"layers.2.1.{leaf}": [32] for leaf in ("weight", "bias", "running_mean", "running_var")},
        "head.weight": [3, 32],
        "head.bias": [3],
    }
    monkeypatch.syspath_prepend(folder)
    with (folder / "out.txt").open("w") as out:
        assert Fork(lambda: load_into_tiny_net(torch), out).wait() == 0
    assert (folder / "out.txt").read_text() == "([], [])\n"


def test_a_configuration_alone_loads_no_code(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = Ran("ppcls config -c flowers.yaml", folder, monkeypatch)
    assert (ran.code, ran.out) == (2, "")
    assert "Arch.name: there is no backbone named 'TinyNet'" in ran.err
    assert ran.err.rstrip().endswith("or give the file that registers it: --import FILE")
    for key in ("import", "Global.import", "Global.imports"):
        ran = Ran(f"ppcls config -c DLA34 -o {key}=tiny_net.py", folder, monkeypatch)
        assert (ran.code, ran.out, key in ran.err) == (2, "", True)


def test_the_variable_names_files_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "other.py").write_text("print('other', __name__[:22])\n")
    monkeypatch.setenv(user_code.VARIABLE, "other.py:tiny_net.py")
    ran = Ran("ppcls config -c flowers.yaml --import tiny_net.py", folder, monkeypatch)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("other ppcls_user_code_other_\n")
    assert "width: 8" in ran.out


PARTS = """
from dataclasses import dataclass
from multiprocessing import current_process

import numpy as np

from ppcls.data.transforms.base import TRANSFORMS, Transform
from ppcls.loss import LOSSES
from ppcls.metric import METRICS
from ppcls.metric.topk import TopkAcc, TopkCounter


@TRANSFORMS.register()
@dataclass(frozen=True)
class Note(Transform):
    place: str = ""

    def __call__(self, image, rng=None):
        with open(self.place, "a") as file:
            file.write(current_process().name[:8] + chr(10))
        return image


@LOSSES.register()
@dataclass(frozen=True)
class Seven:
    weight: float = 1.0

    def __call__(self, logits, target):
        return logits.sum() * 0 + 7


class Counter(TopkCounter):
    def result(self):
        return {"mine": 0.25}


@METRICS.register()
@dataclass(frozen=True)
class Mine(TopkAcc):
    def accumulator(self):
        return Counter(self.ks)
"""
PARTS_CONFIG = """
base: flowers.yaml
DataLoader:
  Train:
    dataset:
      transform_ops:
        - DecodeImage: {}
        - ResizeImage: {size: 224}
        - Note: {place: noted.txt}
        - NormalizeImage: {}
    loader: {num_workers: 1, use_shared_memory: false}
Loss: {Train: [Seven: {}], Eval: [Seven: {}]}
Metric: {Train: [Mine: {topk: 1}], Eval: [Mine: {topk: 1}]}
"""


def test_transforms_losses_and_metrics_of_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "parts.py").write_text(PARTS)
    (folder / "parts.yaml").write_text(PARTS_CONFIG)
    line = f"ppcls train --import tiny_net.py --import parts.py -c parts.yaml {' '.join(SHORTER)}"
    ran = Ran(line, folder, monkeypatch)
    assert (ran.code, ran.err) == (0, "")
    log = (folder / "output/TinyNet/train.log").read_text()
    assert "mine: 0.25000" in log and "loss: 7.00000" in log
    noted = (folder / "noted.txt").read_text().splitlines()
    assert noted == ["Process-"] * 6  # a worker read the six pictures
    states = json.loads((folder / "output/TinyNet/latest/ppcls.pdstates").read_text())
    assert set(states["user_code"]) == {"tiny_net.py", "parts.py"}

    ran = Ran(line.replace(" --import parts.py", ""), folder, monkeypatch)
    assert ran.code == 2
    for kind, name in (("transform", "Note"), ("loss", "Seven"), ("metric", "Mine")):
        (sentence,) = {
            line for line in ran.err.splitlines() if f"there is no {kind} named {name!r}" in line and "Train" in line
        }
        assert sentence.endswith("or give the file that registers it: --import FILE")
