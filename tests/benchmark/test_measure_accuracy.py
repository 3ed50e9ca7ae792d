"""Accuracy over many bundles: measured once, again where something changed, beside what others published."""

import dataclasses
import json

import numpy as np
import pytest

from helpers.bounds import assert_bounded, part_of
from helpers.messages import says
from helpers.pictures import save_picture, solid
from ppcls.benchmark import accuracy_run, machine, sheet
from ppcls.benchmark.accuracy import AccuracyRow, measure_accuracy
from ppcls.benchmark.accuracy_sheet import AccuracySheet
from ppcls.cli import main
from ppcls.data.picture_list import read_picture_list
from ppcls.deployment.verify.forms import REFERENCE
from ppcls.inference import Bundle
from ppcls.inference.backends import open_backend
from ppcls.utils.errors import Unavailable, UserError

ROW = AccuracyRow("DLA34", "b", "paddle", "float32", "cpu", 1000, 4, 75.0, 100.0, "0", "f", "l")


@pytest.fixture
def listed(tmp_path):
    """Four pictures, which are red, green, blue and red, with the labels 0, 1, 2 and 4."""
    red, green, blue = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    for index, color in enumerate((red, green, blue, red)):
        save_picture(tmp_path / f"{index}.png", solid(color))
    (tmp_path / "list.txt").write_text("0.png 0\n1.png 1\n2.png 2\n3.png 4\n")
    return tmp_path / "list.txt"


class Means:
    """Scores of classes 0, 1, 2: the mean red, green and blue."""

    def run(self, batch):
        return np.concatenate([batch.mean(axis=(2, 3)), np.full((len(batch), 2), -9)], axis=1).astype(np.float32)


def test_a_row_is_arithmetic(exported, listed):
    bundle = Bundle.load(exported)
    row = measure_accuracy(bundle, REFERENCE, Means(), read_picture_list(listed, 5), batch_size=3)
    assert (row.model, row.backend, row.precision, row.device) == ("Tiny", "paddle", "float32", "cpu")
    assert (row.classes, row.pictures, row.top1, row.top5) == (5, 4, 75.0, 100.0)


@pytest.fixture
def opened(monkeypatch):
    """Notes what is opened; OpenVINO is not installed."""
    forms = []

    def note(bundle, settings):
        if settings.backend == "openvino":
            raise Unavailable("OpenVINO is not installed")
        forms.append(f"{settings.backend}:{settings.precision}")
        return open_backend(bundle, settings) if settings.backend == "paddle" else Means()

    monkeypatch.setattr(accuracy_run, "open_backend", note)
    return forms


def accuracy(*words):
    return main(["benchmark", "accuracy", *map(str, words)])


def test_what_was_measured_is_not_measured_again(exported, listed, tmp_path, opened, capsys):
    out = tmp_path / "out"
    command = (exported, "--data", listed, "--output", out, "--backend", "all:float32")
    assert accuracy(*command) == 0
    said = capsys.readouterr()
    assert opened == ["paddle:float32", "paddle-openvino:float32", "onnxruntime:float32"]
    assert f"left out: {exported}, openvino:float32: OpenVINO is not installed" in said.err
    files = {path.name: path.read_bytes() for path in out.iterdir()}
    assert sorted(files) == ["accuracy.csv", "accuracy.json", "accuracy.md"]
    assert b"| Tiny | onnxruntime | float32 | 4 | 75.00 | 100.00 |" in files["accuracy.md"]
    assert said.out == (
        "model  engine           precision  pictures  top-1 (%)  top-5 (%)\n"
        "Tiny   paddle           float32           4      25.00     100.00\n"
        "Tiny   paddle-openvino  float32           4      75.00     100.00\n"
        "Tiny   onnxruntime      float32           4      75.00     100.00\n"
    )
    assert accuracy(*command) == 0
    assert opened == ["paddle:float32", "paddle-openvino:float32", "onnxruntime:float32"]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == files


def test_a_row_whose_inputs_changed_is_measured_again(exported, copy, listed, tmp_path, opened, edit):
    out = tmp_path / "out"
    command = (copy, "--data", listed, "--output", out, "--backend", "paddle:float32,onnxruntime:int8")
    assert accuracy(*command) == 0
    listed.write_text("0.png 0\n1.png 1\n")
    assert accuracy(*command) == 0
    assert opened == ["paddle:float32", "onnxruntime:int8"] * 2
    (copy / "int8.onnx").write_bytes(b"x")
    entry = {"file": "int8.onnx", "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}
    edit({"quantized": [{"backend": "onnxruntime", "files": [entry], "method": "m", "calibration": "c"}]})
    assert accuracy(*command) == 0
    assert opened[4:] == ["onnxruntime:int8"]
    rows = json.loads((out / "accuracy.json").read_text())["rows"]
    assert [(row["precision"], row["pictures"]) for row in rows] == [("float32", 2), ("int8", 2)]


def test_a_row_of_another_engine_is_measured_again(exported, listed, tmp_path, opened, monkeypatch):
    out = tmp_path / "out"
    installed = {"paddlepaddle": "3.3.1", "onnxruntime": "1.20.0", "nncf": "2.1"}
    monkeypatch.setattr(machine, "_version", installed.get)
    command = (exported, "--data", listed, "--output", out, "--backend", "paddle:float32,onnxruntime:float32")

    def versions():
        assert accuracy(*command) == 0
        return [row["versions"] for row in json.loads((out / "accuracy.json").read_text())["rows"]]

    assert versions() == ["paddlepaddle 3.3.1", "onnxruntime 1.20.0"]
    opened.clear()
    installed.update(onnxruntime="1.23.2", nncf="3.0")
    assert versions() == ["paddlepaddle 3.3.1", "onnxruntime 1.23.2"]
    assert opened == ["onnxruntime:float32"]
    installed.update(paddlepaddle="3.4.0")
    assert versions() == ["paddlepaddle 3.4.0", "onnxruntime 1.23.2"]
    assert opened == ["onnxruntime:float32", "paddle:float32"]
    assert versions() == ["paddlepaddle 3.4.0", "onnxruntime 1.23.2"]
    assert opened[2:] == []


def test_a_row_of_unknown_versions_is_measured_again(exported, listed, tmp_path, opened):
    out = tmp_path / "out"
    command = (exported, "--data", listed, "--output", out, "--backend", "paddle:float32")
    assert accuracy(*command) == 0
    written = (out / "accuracy.json").read_text()
    before = json.loads(written)
    del before["rows"][0]["versions"]  # as it was written once
    (out / "accuracy.json").write_text(json.dumps(before))
    assert AccuracySheet(out).rows[0].versions is None
    assert accuracy(*command) == 0
    assert opened == ["paddle:float32"] * 2
    assert (out / "accuracy.json").read_text() == written


def test_a_run_that_breaks_off_keeps_its_rows(exported, listed, tmp_path, opened, monkeypatch):
    def broken(bundle, settings):
        if settings.backend == "onnxruntime":
            raise RuntimeError("the engine fell over")
        return Means()

    monkeypatch.setattr(accuracy_run, "open_backend", broken)
    with pytest.raises(RuntimeError, match="fell over"):
        accuracy(exported, "--data", listed, "--output", tmp_path / "out")
    rows = json.loads((tmp_path / "out" / "accuracy.json").read_text())["rows"]
    assert [(row["backend"], row["precision"]) for row in rows] == [
        (name, precision) for name in ("paddle", "paddle-openvino") for precision in ("float32", "bfloat16")
    ]


def test_published_figures_stand_beside_ours_with_their_names(tmp_path):
    sheet = AccuracySheet(tmp_path)
    sheet.add(ROW)
    sheet.add(dataclasses.replace(ROW, model="AlexNet", bundle="c", device="gpu"))
    lines = sheet.markdown().splitlines()
    assert lines[0] == (
        "| model | engine | precision | pictures | top-1 (%) | top-5 (%) | PaddleClas, top-1 (%) | "
        "PaddleClas, top-5 (%) | timm, top-1 (%) | timm, top-5 (%) | ucbdrive/dla, top-1 (%) | "
        "ucbdrive/dla, top-5 (%) |"
    )
    assert lines[2] == (
        "| DLA34 | paddle | float32 | 4 | 75.00 | 100.00 | 76.03 | 92.98 | 74.62 | 92.072 | 74.42 | 92.06 |"
    )
    assert lines[3].startswith("| AlexNet | paddle (gpu) | float32 | 4 | 75.00 | 100.00 | 56.7 | 79.2 |  |  |")
    assert "they were not measured here" in lines[-1]
    csv = (tmp_path / "accuracy.csv").read_text().splitlines()
    assert csv[0].endswith("paddleclas_top1,paddleclas_top5,timm_top1,timm_top5,ucbdrive_top1,ucbdrive_top5")
    assert csv[1].endswith(",76.03,92.98,74.62,92.072,74.42,92.06")
    assert json.loads((tmp_path / "accuracy.json").read_text())["published"]["DLA34"]["timm"]["top1"] == 74.62


def test_a_model_of_other_classes_has_no_published_figure(tmp_path):
    sheet = AccuracySheet(tmp_path)
    sheet.add(dataclasses.replace(ROW, classes=5))
    assert sheet.markdown() == (
        "| model | engine | precision | pictures | top-1 (%) | top-5 (%) |\n| --- | --- | --- | --- | --- | --- |\n"
        "| DLA34 | paddle | float32 | 4 | 75.00 | 100.00 |\n"
    )


def test_two_bundles_of_a_model_are_told_apart(tmp_path):
    sheet = AccuracySheet(tmp_path)
    sheet.add(ROW)
    sheet.add(dataclasses.replace(ROW, bundle="c"))
    sheet.add(dataclasses.replace(ROW, top1=50.0))
    assert [(row.bundle, row.top1) for row in AccuracySheet(tmp_path).rows] == [("b", 50.0), ("c", 75.0)]
    assert [line.split(" | ")[0] for line in sheet.markdown().splitlines()[2:4]] == ["| DLA34 in b", "| DLA34 in c"]


def test_models_are_exported_with_their_published_weights(exported, listed, tmp_path, opened, monkeypatch):
    from ppcls.benchmark import shipped_bundles

    asked = []

    def bundle_of(name, folder):
        asked.append((name, folder))
        return Bundle.load(exported)

    monkeypatch.setattr(shipped_bundles, "published_bundle", bundle_of)
    command = ("--models", "SqueezeNet*", "--data", listed, "--output", tmp_path / "out", "--backend", "paddle")
    assert accuracy(*command) == 0
    names = ["SqueezeNet1_0", "SqueezeNet1_1"]
    assert asked == [(name, tmp_path / "out" / "bundles" / name) for name in names]


def test_an_exported_model_is_not_exported_again(exported, tmp_path, monkeypatch):
    from ppcls.benchmark import shipped_bundles

    said = []

    def export(config, opset):
        said.append((config.Arch.name, config.Arch.pretrained, config.Global.save_inference_dir))
        exported_here = tmp_path / "SqueezeNet1_1"
        exported_here.mkdir()
        for file in exported.iterdir():
            (exported_here / file.name).write_bytes(file.read_bytes())

    monkeypatch.setattr(shipped_bundles, "export", export)
    for _ in range(2):
        assert shipped_bundles.published_bundle("SqueezeNet1_1", tmp_path / "SqueezeNet1_1").architecture == "Tiny"
    assert said == [("SqueezeNet1_1", True, str(tmp_path / "SqueezeNet1_1"))]


def test_class_folders_are_labels(exported, listed, tmp_path, opened, capsys):
    """The names of the bundle's classes: the first, second and third; the red picture of a fifth is called wrong."""
    names = Bundle.load(exported).class_names
    for index, label in enumerate((0, 1, 2, 4)):
        (tmp_path / "val" / names[label]).mkdir(parents=True)
        (listed.parent / f"{index}.png").rename(tmp_path / "val" / names[label] / "x.png")
    out = tmp_path / "out"
    assert accuracy(exported, "--data", tmp_path / "val", "--backend", "onnxruntime:float32", "--output", out) == 0
    (row,) = AccuracySheet(out).rows
    assert (row.pictures, row.top1, row.top5) == (4, 75.0, 100.0)
    (tmp_path / "val" / "fox").mkdir()
    (tmp_path / "val" / names[0] / "x.png").rename(tmp_path / "val" / "fox" / "x.png")
    assert accuracy(exported, "--data", tmp_path / "val", "--backend", "onnxruntime:float32", "--output", out) == 2
    assert "its folder fox is not a class of the bundle; give a list" in capsys.readouterr().err


def test_mistakes_are_said(exported, listed, tmp_path, opened, capsys):
    out = tmp_path / "out"
    assert accuracy("--data", listed, "--output", out) == 2
    assert accuracy(exported, "--data", listed.parent, "--output", out) == 2
    assert accuracy(exported, "--data", listed, "--output", out, "--backend", "openvino:int8") == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0] == says("nothing to measure ...; give folders of bundles, or --models ...")
    assert said[1].startswith(
        f"{listed.parent} has no labels: 0.png is not in a folder of its class; give a list with "
    )
    assert said[2] == "OpenVINO is not installed"
    out.mkdir()
    (out / "accuracy.json").write_text("[]")
    with pytest.raises(UserError, match=r"was not written by `ppcls benchmark accuracy`; give another --output"):
        AccuracySheet(out)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", None), ("bundle", ["b"]), ("bundle", "\ud800"), ("backend", {}), ("classes", "5"),
        ("pictures", 10**400), ("top1", float("inf")), ("top5", "x" * 10**5), ("versions", 3), ("more", 1),
    ],
)  # fmt: skip
def test_a_sheet_that_was_edited_is_not_written_over(tmp_path, key, value):
    sheet = AccuracySheet(tmp_path)
    sheet.add(ROW)
    file = tmp_path / "accuracy.json"
    content = json.loads(file.read_text())
    content["rows"][0][key] = value
    edited = json.dumps(content)
    file.write_text(edited)
    with pytest.raises(UserError, match=r"accuracy\.json was not written by .*; give another --output"):
        AccuracySheet(tmp_path)
    assert file.read_text() == edited


def test_many_rows_are_read_and_written_in_proportion(tmp_path, monkeypatch):
    """As many as a sheet may have; the time was once in proportion to the square of their number."""
    monkeypatch.setattr(sheet, "_MOST_ROWS", part_of(sheet._MOST_ROWS))
    rows = [dataclasses.asdict(dataclasses.replace(ROW, bundle=str(n))) for n in range(sheet._MOST_ROWS)]

    def read_and_write():
        (tmp_path / "accuracy.json").write_text(json.dumps({"rows": rows}))
        AccuracySheet(tmp_path).write()

    assert_bounded(read_and_write)
    (tmp_path / "accuracy.json").write_text(json.dumps({"rows": [*rows, rows[0]]}))
    with pytest.raises(UserError, match=r"accuracy\.json was not written by "):
        AccuracySheet(tmp_path)


def test_only_what_cannot_be_had_is_left_out(exported, listed, tmp_path, monkeypatch, capsys):
    def broken(bundle, settings):
        raise UserError("the file is broken")

    monkeypatch.setattr(accuracy_run, "open_backend", broken)
    assert accuracy(exported, "--data", listed, "--output", tmp_path / "out") == 2
    assert capsys.readouterr().err == "the file is broken\n"
