"""Real weights on real pictures through every engine and precision that is installed: what `ppcls verify` promises.

Runs where PPCLS_TEST_DATA names a folder that holds `imagenet_200` and `squeezenet1_1_torchvision.pth`, as
tests/engine/test_real_weights.py does.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from ppcls.cli import main
from ppcls.data.picture_list import read_picture_list
from ppcls.deployment.npz.files import npz_name
from ppcls.deployment.verify.forms import Form, parse_forms
from ppcls.deployment.verify.report import VerificationReport
from ppcls.deployment.verify.run import labelled_batches, verify
from ppcls.inference import Bundle
from ppcls.inference.backends import open_backend
from ppcls.untrusted.npz import read_arrays

DATA = os.environ.get("PPCLS_TEST_DATA")
if DATA is None:
    pytest.skip("PPCLS_TEST_DATA names no folder with imagenet_200 and weights", allow_module_level=True)
PICTURES = Path(DATA, "imagenet_200")
LIST = PICTURES / "val_list.txt"
FLOAT32 = ("paddle", "paddle-openvino", "onnxruntime", "openvino")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of torchvision's SqueezeNet1_1, with a program of Paddle 2 and the same as ONNX."""
    folder = tmp_path_factory.mktemp("squeezenet")
    published = Path(DATA, "squeezenet1_1_torchvision.pth")
    weights = folder / "squeezenet.pdparams"
    assert main(["convert", "--arch", "SqueezeNet1_1", str(published), str(weights)]) == 0
    places = ["-o", f"Global.pretrained_model={weights}", "-o", f"Global.save_inference_dir={folder / 'bundle'}"]
    assert main(["export", "-c", "SqueezeNet1_1", *places, "--format", "pdmodel", "--onnx"]) == 0
    return folder / "bundle"


@pytest.fixture(scope="module")
def report(exported: Path) -> VerificationReport:
    bundle = Bundle.load(exported)
    return verify(bundle, "all", read_picture_list(LIST, bundle.class_num))


def test_every_float32_engine_gives_the_same_200_answers(report: VerificationReport) -> None:
    rows = {row.form.backend: row for row in report.rows if row.form.precision == "float32"}
    assert tuple(rows) == FLOAT32
    for row in rows.values():
        assert (row.failure, row.seen.pictures, row.seen.agreed) == (None, 200, 200), row.form
        assert row.seen.max_difference < 2e-5
        assert row.golden is not None and row.golden.score_difference < 1e-5
        assert row.seen.accuracy == report.base.accuracy
    # torchvision's transforms score 64.0 and 90.5
    assert report.base.accuracy["top1"] == pytest.approx(0.64, abs=0.005 + 1e-9)
    assert report.base.accuracy["top5"] == pytest.approx(0.905, abs=0.005 + 1e-9)


def test_bfloat16_loses_at_most_one_picture(report: VerificationReport) -> None:
    rows = [row for row in report.rows if row.form.precision == "bfloat16"]
    possible = {form for form in parse_forms("all:bfloat16") if form not in report.left_out}
    assert {row.form for row in rows} == possible
    for row in rows:
        assert row.failure is None, row.form
        assert report.base.correct - row.seen.correct <= 1, row.form
        assert 1e-4 < row.seen.max_difference < 0.1, row.form  # it is another precision, and the same model


def test_what_the_bundle_lacks_is_named(report: VerificationReport) -> None:
    for engine in ("onnxruntime", "openvino"):
        assert "has no int8 form" in report.left_out[Form(engine, "int8")]


def test_another_programs_onnx_is_refused(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The gate stands: the picture's first colour is lost on the way into the ONNX form."""
    bundle = Bundle.load(exported)

    class Blind:
        def __init__(self) -> None:
            self.backend = open_backend(bundle, Form("onnxruntime", "float32").settings())

        def run(self, batch: np.ndarray) -> np.ndarray:
            return self.backend.run(batch * np.float32([0, 1, 1]).reshape(1, 3, 1, 1))

    data = read_picture_list(LIST, bundle.class_num).take(range(0, 200, 8))
    for form in (Form("onnxruntime", "float32"), Form("onnxruntime", "int8")):
        (row,) = verify(bundle, {form: Blind()}, data).failures
        assert row.failure is not None
    assert main(["verify", str(exported), "--backend", "onnxruntime,openvino:float32"]) == 0
    assert capsys.readouterr().out.count("passed") == 2


@pytest.mark.parametrize("form", [f"{engine}:float32" for engine in FLOAT32])
def test_the_npz_flow_scores_what_verify_does(
    exported: Path, report: VerificationReport, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    engine, precision = form.split(":")
    inputs, results = tmp_path / "in", tmp_path / "out"
    datalist = str(inputs / "npz_datalist.txt")
    calibration = str(tmp_path / "calibration")
    assert main(["npz", "make", str(exported), "--data", str(LIST), "--output", str(inputs)]) == 0
    engine_words = ["--backend", engine, "--precision", precision]
    assert main(["npz", "run", str(exported), "--datalist", datalist, "--output", str(results), *engine_words]) == 0
    capsys.readouterr()
    assert main(["npz", "score", "--results", str(results), "--datalist", datalist, "--labels", str(LIST)]) == 0
    top1, top5 = (100 * report.base.accuracy[name] for name in ("top1", "top5"))
    assert capsys.readouterr().out == f"top-1 {top1:.2f} %, top-5 {top5:.2f} % of 200 pictures\n"
    assert main(["npz", "make", str(exported), "--data", str(LIST), "--output", calibration, "--count", "50"]) == 0
    assert "50 pictures cannot show all 200 classes" in capsys.readouterr().err
    bundle = Bundle.load(exported)
    (inputs_of_first, _), *_ = labelled_batches(bundle, read_picture_list(LIST, 1000).take([0]))
    name = npz_name(LIST.read_text().split()[0])
    assert np.array_equal(read_arrays(inputs / name)["image"], inputs_of_first)


def test_accuracy_of_every_engine(exported: Path, report: VerificationReport, tmp_path: Path) -> None:
    words = ["--data", str(LIST), "--output", str(tmp_path), "--backend", "all:float32"]
    assert main(["benchmark", "accuracy", str(exported), *words]) == 0
    rows = json.loads((tmp_path / "accuracy.json").read_text())["rows"]
    assert [row["backend"] for row in rows] == list(FLOAT32)
    assert {row["top1"] for row in rows} == {100 * report.base.accuracy["top1"]}
    assert "| SqueezeNet1_1 | openvino | float32 | 200 |" in (tmp_path / "accuracy.md").read_text()
