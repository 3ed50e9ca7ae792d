"""Every model that PaddleClas has against PaddleClas itself, at other weights, sizes and classes than its stored facts.

Its package is named `ppcls` as ours is, so a process of an environment of its own computes its logits.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import arch_facts as facts
import numpy as np
import paddle
import pytest
from paddleclas_logits import state

from helpers.checkout import ROOT
from ppcls.arch import build_model
from ppcls.arch.model_table import MODELS

PYTHON = ROOT / ".venv-paddleclas" / "bin" / "python"
COUNT, CLASSES, SEED = 3, 7, 1
NAMES = [name for name, info in MODELS.items() if "paddleclas" in info.published]
SIZES = {name: (224, 224) if name == "AlexNet" else (192, 256) for name in NAMES}  # that AlexNet knows one size only


@pytest.fixture(scope="module")
def paddleclas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What tests/extras/paddleclas_logits.py writes."""
    folder = tmp_path_factory.mktemp("paddleclas")
    request = json.dumps({"sizes": SIZES, "count": COUNT, "class_num": CLASSES, "seed": SEED})
    command = [PYTHON, Path(__file__).with_name("paddleclas_logits.py"), folder / "out.json", request]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "arch")}
    done = subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "out.json").read_text(encoding="utf-8"))


def our_logits(name: str, keys: dict[str, Any], seed: int) -> np.ndarray:
    model = build_model(name, class_num=CLASSES)
    model.eval()
    assert model.set_state_dict(state(keys, seed)) == ([], [])
    with paddle.no_grad():
        return model(paddle.to_tensor(facts.pictures(COUNT, *SIZES[name]))).numpy()


def deviation(logits: np.ndarray, reference: np.ndarray) -> float:
    return max(facts.deviation(logits[first:], reference[first:]) for first in range(COUNT - 1))


def test_paddleclas_is_the_version_and_has_twenty_models(paddleclas: dict[str, Any]) -> None:
    assert paddleclas["paddleclas"] == "2.6.0"
    assert len(paddleclas["models"]) == len(NAMES) >= 20


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_paddleclas(name: str, paddleclas: dict[str, Any]) -> None:
    theirs = paddleclas["models"][name]
    reference = np.array(theirs["logits"], "float32")
    logits = our_logits(name, theirs["keys"], SEED)
    assert logits.shape == reference.shape == (COUNT, CLASSES)
    assert deviation(logits, reference) < 2e-4
    np.testing.assert_allclose(logits, reference, rtol=0, atol=1e-4 * np.abs(reference).max())


def test_other_weights_are_told_apart(paddleclas: dict[str, Any]) -> None:
    theirs = paddleclas["models"]["SqueezeNet1_1"]
    logits = our_logits("SqueezeNet1_1", theirs["keys"], SEED + 1)
    assert deviation(logits, np.array(theirs["logits"], "float32")) > 0.1
