"""`ppcls benchmark` with every engine: what is measured, written and verified; not how fast anything is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from engine_bundles import bundle_of

from ppcls.cli import main
from ppcls.inference.bundle import Bundle
from ppcls.inference.golden import GOLDEN_PICTURE

QUICK = ["--rounds", "1", "--settle", "0", "--span", "0"]
ENGINES = ("paddle", "onnxruntime", "openvino")


def test_every_engine_competes_and_one_is_written(tmp_path: Path, capsys: Any) -> None:
    folder = bundle_of("SqueezeNet1_1", tmp_path / "bundle").folder
    assert main(["benchmark", "backends", str(folder), "--precision", "fp32", "--requests", "1,2", *QUICK]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [re.split(" {2,}", line) for line in lines if line.startswith(ENGINES) and "  float32  " in line]
    measured = [row for row in rows if row[0] in ENGINES]
    assert sorted((row[0], row[3]) for row in measured) == sorted((name, n) for name in ENGINES for n in "12")
    assert all(float(row[5]) > 0 for row in measured)  # images/s: nothing was left out
    # OpenVINO inside Paddle has no program here
    assert {row[-1] for row in rows if row not in measured} == {"not measured"}
    chosen = Bundle.load(folder).settings
    assert chosen is not None
    assert chosen.backend == next(row[0] for row in rows if "chosen" in row[-1])


def test_a_lower_precision_is_verified_before_it_may_be_chosen(tmp_path: Path, capsys: Any) -> None:
    folder = bundle_of("SqueezeNet1_1", tmp_path / "bundle").folder
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "golden.png").write_bytes(GOLDEN_PICTURE.read_bytes())
    arguments = ["benchmark", "backends", str(folder), "--dry-run", *QUICK]
    assert main([*arguments, "--precision", "bf16,fp32"]) == 0
    barred = "`--allow bfloat16` would let it be chosen"
    assert barred in capsys.readouterr().out
    assert main([*arguments, "--precision", "bf16,fp32", "--allow", "bf16", "--data", str(pictures)]) == 0
    assert barred not in capsys.readouterr().out


@pytest.mark.slow
def test_untrained_models_by_every_engine(tmp_path: Path) -> None:
    arguments = ["benchmark", "latency", "--models", "SqueezeNet1_1", "--backend", "paddle,ort,openvino"]
    assert main([*arguments, "--batch-size", "1,2", *QUICK, "--output", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "latency.json").read_text())["rows"]
    assert [(row["backend"], row["batch"], row["reason"]) for row in rows] == [
        (engine, batch, None) for engine in ENGINES for batch in (1, 2)
    ]
    assert len(list(tmp_path.glob("latency_*_float32.png"))) == 3
