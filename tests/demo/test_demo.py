import csv
import importlib
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from helpers.checkout import ROOT
from helpers.in_process import run_script
from helpers.small_families import shrink_dla

TOOLS = ROOT / "tools"


def test_answers_are_read_in_order_and_counted(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(TOOLS))
    steps = importlib.import_module("demo_steps")
    (tmp_path / "answers.csv").write_text(
        "picture,class_id_1,score_1,name_1,error\nval/7/0002.png,1,0.5,one,\nval/3/0001.png,3,0.75,three,\n"
    )
    answers = steps.read_answers(tmp_path / "answers.csv")
    assert answers == [("val/3/0001.png", 3, 3), ("val/7/0002.png", 7, 1)]
    assert steps.share_right(answers) == "50.00 % (1 of 2)"


@pytest.mark.slow
def test_the_demonstration_end_to_end(tmp_path, monkeypatch, forked_engines):
    """With a small model: what it learns in an epoch is not the point."""
    shrink_dla(monkeypatch)
    monkeypatch.syspath_prepend(str(TOOLS))
    result = run_script(TOOLS / "demo.py", "--epochs", "1", folder=tmp_path)
    assert result.code == 0, result.out + result.err

    from sklearn.datasets import load_digits

    digits = load_digits()
    demo = tmp_path / "demo"
    lists = {part: (demo / "digits" / f"{part}_list.txt").read_text().splitlines() for part in ("train", "val")}
    assert (len(lists["train"]), len(lists["val"])) == (1437, 360)
    assert lists["val"][1] == f"val/{digits.target[5]}/0005.png {digits.target[5]}"
    for line in (lists["train"][0], lists["val"][1]):
        name, label = line.split()
        index = int(Path(name).stem)
        picture = cv2.imread(str(demo / "digits" / name), cv2.IMREAD_UNCHANGED)
        assert np.abs(picture - digits.images[index] * 255 / 16).max() <= 0.5 and int(label) == digits.target[index]

    with (demo / "predicted.csv").open(newline="") as file:
        rows = {Path(row["picture"]).name: int(row["class_id_1"]) for row in csv.DictReader(file)}
    right = sum(rows[f"{index:04}.png"] == digits.target[index] for index in range(0, 1797, 5))
    table = result.out.splitlines()[-8:]
    top1 = f"top-1 {100 * right / 360:.2f} % ({right} of 360)"
    patterns = [
        r" +seconds",
        r"written +\d+\.\d  1,437 to train on, 360 held out",
        r"trained +\d+\.\d  log, checkpoints and resolved configuration in demo/output/DLA46_c",
        rf"evaluated +\d+\.\d  {re.escape(top1)} by the model",
        r"exported +\d+\.\d  the deployable bundle in demo/inference",
        rf"predicted +\d+\.\d  {re.escape(top1)} by Paddle Inference; both name the same class on 360",
        r"together +\d+\.\d  .*",
        r"look at demo/report/report.html .*",
    ]
    for line, pattern in zip(table, patterns):
        assert re.fullmatch(pattern, line), line
    metrics = json.loads((demo / "report" / "metrics.json").read_text())
    assert metrics["top1"] == pytest.approx(right / 360)
    assert "seven" in (demo / "report" / "report.html").read_text()
    assert (demo / "output/DLA46_c/latest/ppcls.pdparams").is_file() and (demo / "inference/inference.yml").is_file()
