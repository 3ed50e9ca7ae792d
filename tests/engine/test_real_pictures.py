"""The main job on real pictures: DLA60 is trained, killed, resumed, evaluated, exported; all answers agree.

Runs where PPCLS_TEST_DATA names a folder that holds `imagenet_200` (`images/` and `val_list.txt`, 200 pictures).
"""

import csv
import json
import os
import signal
from pathlib import Path

import pytest

from helpers.checkout import ROOT
from helpers.forks import Fork, run_python, wait_for
from helpers.in_process import run_script
from helpers.small_families import shrink_dla

DATA = os.environ.get("PPCLS_TEST_DATA")
DLA60 = ["-c", "configs/DLA/DLA60.yaml"]
# Two epochs of three steps; four pictures a step suffice to go through everything.
SHORT = [
    "-o",
    "Global.epochs=2",
    "-o",
    "Global.console=paddleclas",
    "-o",
    "DataLoader.Train.sampler.batch_size=4",
    "-o",
    "Global.save_interval_steps=2",
]


@pytest.fixture
def checkout(tmp_path):
    """The scripts and configurations of this checkout, with twelve of the pictures laid out as ImageNet."""
    for name in ("tools", "configs", "deploy", "ppcls"):
        (tmp_path / name).symlink_to(ROOT / name)
    layout = tmp_path / "dataset" / "ILSVRC2012"
    layout.mkdir(parents=True)
    source = Path(DATA) / "imagenet_200"
    lines = (source / "val_list.txt").read_text().splitlines(keepends=True)[::17]
    (layout / "images").mkdir()
    for line in lines:
        name = line.rpartition(" ")[0]
        (layout / name).symlink_to(source / name)
    for part in ("train", "val"):
        (layout / f"{part}_list.txt").write_text("".join(lines))
    return tmp_path


def run(checkout, script, *arguments):
    ran = run_script(checkout / script, *arguments, folder=checkout)
    assert ran.code == 0, ran.out + ran.err
    return ran.out


def answers(path):
    with path.open(newline="") as file:
        return {Path(row["picture"]).name: row for row in csv.DictReader(file)}


@pytest.mark.slow
@pytest.mark.skipif(DATA is None, reason="PPCLS_TEST_DATA names no folder with imagenet_200")
def test_dla60_from_training_to_prediction(checkout, monkeypatch):
    """With a small model: DLA60's size is the point of test_arch_parity.py."""
    shrink_dla(monkeypatch)
    command = ["tools/train.py", *DLA60, *SHORT, "-o", "Global.eval_during_train=False"]
    log = checkout / "output.txt"
    with log.open("w") as file:
        process = Fork(lambda: run_python(command, os.environ.copy()), file, prepare=lambda: os.chdir(checkout))
    wait_for(log, "epoch:1  , train step:0 ", process)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    latest = checkout / "output" / "DLA60" / "latest"
    saved = json.loads((latest / "ppcls.pdstates").read_text())
    assert (saved["epoch"], saved["step"]) == (1, 0)
    resume = ["-o", "Global.checkpoints=output/DLA60/latest", "-o", "Global.eval_during_train=False"]
    output = run(checkout, "tools/train.py", *DLA60, *SHORT, *resume)
    assert "resumed output/DLA60/latest at epoch 1, step 0" in output
    weights = ["-o", "Global.pretrained_model=output/DLA60/latest"]
    pictures = "dataset/ILSVRC2012/images"
    output = run(checkout, "tools/eval.py", *DLA60, *weights, "--output", "eval.csv")
    assert "eval   top1 " in output
    run(checkout, "tools/infer.py", *DLA60, *weights, "-o", f"Infer.infer_imgs={pictures}", "--output", "infer.csv")
    run(checkout, "tools/export_model.py", *DLA60, *weights)
    deploy = ["-c", "deploy/configs/inference_cls.yaml", "-o", "Global.inference_model_dir=inference"]
    deploy += ["-o", f"Global.infer_imgs={pictures}", "-o", "Global.output=predict.csv"]
    run(checkout, "deploy/python/predict_cls.py", *deploy)
    evaluated, inferred, predicted = (answers(checkout / f"{name}.csv") for name in ("eval", "infer", "predict"))
    assert len(evaluated) == len(inferred) == len(predicted) == 12
    for name, row in evaluated.items():
        for other in (inferred[name], predicted[name]):
            assert other["class_id_1"] == row["class_id_1"], name
            assert float(other["score_1"]) == pytest.approx(float(row["score_1"]), rel=1e-3)
