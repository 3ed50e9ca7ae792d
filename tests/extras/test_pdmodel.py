"""Every model as a program of Paddle 2, and programs that Paddle 2.6.2 itself wrote."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import tarfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import arch_facts as facts
import numpy as np
import paddle
import pytest

from helpers.checkout import ROOT
from ppcls.arch import build_model, list_models
from ppcls.arch.model_table import MODELS
from ppcls.arch.weights.sources import find_source
from ppcls.data.transforms import Pipeline
from ppcls.engine.exporter import export_bundle
from ppcls.inference import Bundle, Classifier

PADDLE_26 = ROOT / ".venv-paddle26" / "bin" / "python"


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype("float64") - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", list_models())
def test_a_model_in_paddle_2s_format_computes_the_same(name: str, tmp_path: Path) -> None:
    # The OpenVINO inside Paddle, by which the export checks what it wrote, never frees a program: 280 MB of DLA60.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as new_process:
        new_process.submit(assert_it_computes_the_same, name, tmp_path).result()


def assert_it_computes_the_same(name: str, tmp_path: Path) -> None:
    size = MODELS[name].input_size
    model = build_model(name)
    res2net = name not in facts.table() or find_source(name).source == "timm"
    model.set_state_dict(facts.state("timm", name.lower()) if res2net else facts.paddleclas_state(name))
    model.eval()
    pictures = facts.pictures(2, *size[1:])
    with paddle.no_grad():
        spread = float(model(paddle.to_tensor(pictures)).std())
        for parameter in model.fc.parameters():  # so that no class takes all, and every score is compared
            parameter.set_value(parameter / spread)
        expected = softmax(model(paddle.to_tensor(pictures)).numpy())
    pipeline = Pipeline.from_list(find_source(name).preprocessing.transform_ops())
    agreement = export_bundle(
        model, pipeline, tmp_path / "bundle", architecture=name, class_num=1000, image_shape=size,
        program_file="inference.pdmodel",
    )  # fmt: skip
    assert agreement.score_difference < 1e-4
    assert agreement.classes_compared == 1000
    assert Bundle.load(tmp_path / "bundle").program.file == "inference.pdmodel"
    for onednn in (True, False):
        scores = Classifier(tmp_path / "bundle", onednn=onednn)._prediction.backend.run(pictures)
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["DLA34", "SqueezeNet1_1", "DarkNet53", "SENet154_vd"])
def test_a_tar_that_paddle_26_wrote_is_read(name: str, tmp_path: Path) -> None:
    folder = tmp_path / f"{name}_infer"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "arch")])}
    child = [PADDLE_26, ROOT / "tests" / "extras" / "official_model.py", name, folder]
    subprocess.run(child, env=environment, check=True)
    with tarfile.open(tmp_path / f"{name}_infer.tar", "w") as tar:
        tar.add(folder, folder.name)
    classifier = Classifier(tmp_path / f"{name}_infer.tar", model=name)
    assert classifier.bundle.input.shape == (-1, *MODELS[name].input_size)
    scores = classifier._prediction.backend.run(facts.pictures(2, *MODELS[name].input_size[1:]))
    np.testing.assert_allclose(scores, softmax(facts.paddleclas_logits(name)), rtol=0, atol=1e-4)
