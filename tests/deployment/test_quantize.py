"""`ppcls quantize` with an engine whose int8 scores are known: the gate, the files, the manifest, the command."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from helpers.messages import says
from helpers.pictures import noise, save_picture
from ppcls.cli import main
from ppcls.deployment.installing import temporary_folder
from ppcls.deployment.quantize import QuantizeOptions, gate, run
from ppcls.deployment.quantize import onnxruntime as onnxruntime_module
from ppcls.deployment.quantize import openvino as openvino_module
from ppcls.inference import Bundle
from ppcls.inference.backends import open_backend
from ppcls.inference.bundle import digested
from ppcls.utils.files import sha256_of

FILES = ("inference.openvino-int8.xml", "inference.openvino-int8.bin")


@pytest.fixture
def bundle(copy):
    """A bundle with an ONNX form, which nothing here runs."""
    (copy / "inference.onnx").write_bytes(b"o" * 4000000)
    loaded = Bundle.load(copy)
    replace(loaded, onnx=digested(copy / "inference.onnx")).save()
    return copy


@pytest.fixture
def pictures(tmp_path):
    """A list of 200 names of four pictures, without labels: odd ones are calibrated on, even ones compared."""
    place = tmp_path / "pictures"
    for index in range(200):
        save_picture(place / f"{index:03}.png", noise(44, 40, index % 4))
    (place / "list.txt").write_text("".join(f"{index:03}.png\n" for index in range(200)))
    return place / "list.txt"


class Wrong:
    """Scores of float32, with another first class for the first `wrong` pictures."""

    def __init__(self, exact, wrong):
        self.exact, self.left = exact, wrong

    def run(self, batch):
        scores = self.exact.run(batch).copy()
        for row in scores[: self.left]:
            row[:] = np.roll(row, 1)
        self.left = max(0, self.left - len(batch))
        return scores


@pytest.fixture
def engine(monkeypatch):
    """Stands in for both engines: keeps what it was given, and answers wrongly as often as `wrong` says."""

    class Engine:
        wrong = 0
        content = b"1"

        def __init__(self):
            self.calls = []

        def quantize(self, onnx, inputs, options, folder):
            self.calls.append((onnx, inputs.shape, options))
            names = FILES if options.backend == "openvino" else onnxruntime_module.FILES
            for name in names:
                (folder / name).write_bytes(self.content * 500000)
            return "as said"

        def open_backend(self, bundle, settings):
            assert settings.precision == "int8"
            self.opened = bundle.checked(*bundle.quantized[-1].files)
            whole = Bundle.load(bundle.folder.parent)  # the form is made in a folder of it
            return Wrong(open_backend(whole, gate.REFERENCE.settings()), self.wrong)

    stand_in = Engine()
    monkeypatch.setattr(run, "open_backend", stand_in.open_backend)
    for module in (openvino_module, onnxruntime_module):
        monkeypatch.setattr(module, "require", lambda: None)
        monkeypatch.setattr(module, "quantize", stand_in.quantize)
    return stand_in


def state(folder):
    return {path.name: sha256_of(path) for path in folder.iterdir()}


def test_a_form_that_agrees_is_written(bundle, pictures, engine, capsys):
    engine.wrong = 3
    assert main(["quantize", str(bundle), "--calib", str(pictures)]) == 0
    ((onnx, shape, options),) = engine.calls
    assert (onnx, shape, options.backend) == (bundle / "inference.onnx", (100, 3, 32, 32), "openvino")
    (form,) = Bundle.load(bundle).quantized
    assert [entry.file for entry in form.files] == list(FILES)
    assert Bundle.load(bundle).checked(*form.files) == tuple(bundle / name for name in FILES)
    assert (form.backend, form.method) == ("openvino", "as said")
    assert form.calibration == f"100 of 200 pictures of list.txt (SHA-256 {sha256_of(pictures)})"
    written, _, row, last = capsys.readouterr().out.splitlines()
    assert written == (
        f"written: {bundle / FILES[0]}, {bundle / FILES[1]}; 1.0 MB, float32 4.0 MB; calibrated on {form.calibration}"
    )
    assert row.split()[:2] == ["openvino", "int8"] and row.split()[4:] == ["97.00", "-", "-", "passed"]
    assert last == says("compared with Paddle's float32 program, on 100 pictures ... not calibrated on")
    assert not [path for path in bundle.iterdir() if path.name.startswith(".")]


def test_a_form_that_does_not_agree_is_not_kept(bundle, pictures, engine, capsys):
    engine.wrong = 4
    before = state(bundle)
    assert main(["quantize", str(bundle), "--calib", str(pictures)]) == 2
    assert state(bundle) == before
    out, err = capsys.readouterr()
    assert "FAILED: 4 of 100 first classes differ (at most 3%)" in out
    assert err == says(
        "the int8 form for openvino is not kept: 4 of 100 first classes differ (at most 3%); ... "
        "(--count), ... --ranges, or with --float32-layers both\n"
    )


@pytest.mark.parametrize(("wrong", "code"), [(1, 0), (2, 2)])
def test_with_labels_accuracy_counts(bundle, pictures, engine, capsys, wrong, code):
    exact = open_backend(Bundle.load(bundle), gate.REFERENCE.settings())
    names = pictures.read_text().split()
    inputs = np.stack([Bundle.load(bundle).pipeline.from_file(pictures.parent / name) for name in names[:4]])
    right = exact.run(inputs).argmax(axis=1)
    # The four pictures in turn, so each class has its share of both halves.
    pictures.write_text("".join(f"{name} {right[i % 4]}\n" for i, name in enumerate(names)))
    engine.wrong = wrong
    assert main(["quantize", str(bundle), "--calib", str(pictures)]) == code
    out, err = capsys.readouterr()
    assert "100.00" in out.splitlines()[-3]  # the reference
    assert ("top-1 is 2.00 points lower (at most 1)" in err) == (code == 2)


@pytest.mark.parametrize(("wrong", "code"), [(1, 0), (2, 2)])
def test_class_folders_are_labels(bundle, pictures, engine, capsys, wrong, code):
    loaded = Bundle.load(bundle)
    names = pictures.read_text().split()
    inputs = np.stack([loaded.pipeline.from_file(pictures.parent / name) for name in names[:4]])
    right = open_backend(loaded, gate.REFERENCE.settings()).run(inputs).argmax(axis=1)
    for index, name in enumerate(names):
        folder = pictures.parent / loaded.class_names[right[index % 4]]
        folder.mkdir(exist_ok=True)
        (pictures.parent / name).rename(folder / name)
    engine.wrong = wrong
    assert main(["quantize", str(bundle), "--calib", str(pictures.parent)]) == code
    out, err = capsys.readouterr()
    assert "100.00" in out.splitlines()[-3]  # the reference
    assert ("top-1 is 2.00 points lower (at most 1)" in err) == (code == 2)


def test_an_older_form_of_the_engine_is_replaced_and_others_stay(bundle, pictures, engine):
    arguments = ["quantize", str(bundle), "--calib", str(pictures), "--count", "20"]
    for name, content in (("openvino", b"1"), ("onnxruntime", b"2"), ("openvino", b"3")):
        engine.content = content
        assert main([*arguments, "--backend", name]) == 0
    forms = Bundle.load(bundle).quantized
    assert [form.backend for form in forms] == ["onnxruntime", "openvino"]
    assert (bundle / FILES[0]).read_bytes() == b"3" * 500000
    for form in forms:
        Bundle.load(bundle).checked(*form.files)


@pytest.mark.parametrize("saves", [0, 1])
@pytest.mark.parametrize("older", [False, True])
def test_ctrl_c_at_the_end_leaves_the_bundle_as_it_was(bundle, pictures, engine, interrupt_after, saves, older):
    arguments = ["quantize", str(bundle), "--calib", str(pictures), "--count", "20"]
    if older:
        assert main(arguments) == 0
    before = state(bundle)
    engine.content = b"9"
    interrupt_after(saves)
    assert main(arguments) == 130
    assert state(bundle) == before


def test_a_process_that_is_killed_leaves_a_bundle_that_is_whole(bundle, pictures, engine, monkeypatch):
    arguments = ["quantize", str(bundle), "--calib", str(pictures), "--count", "20"]
    assert main(arguments) == 0
    rename, forms = Path.rename, []

    def watched(path, target):
        forms.append(yaml.safe_load((bundle / "inference.yml").read_text(encoding="utf-8"))["quantized"])
        rename(path, target)

    monkeypatch.setattr(Path, "rename", watched)
    (bundle / ".openvino-int8").mkdir()  # of a process that was killed before
    (bundle / ".openvino-int8" / "half").write_bytes(b"")
    assert main(arguments) == 0
    assert forms == [[]] * 4  # two older files, two new ones
    assert len(Bundle.load(bundle).quantized) == 1
    assert not (bundle / ".openvino-int8").exists()


def test_what_another_process_added_meanwhile_is_kept(bundle, pictures, engine):
    stale = Bundle.load(bundle)
    assert main(["quantize", str(bundle), "--calib", str(pictures), "--backend", "onnxruntime"]) == 0
    with temporary_folder(stale, "openvino-int8") as folder:
        method = engine.quantize(None, np.zeros(1), QuantizeOptions("openvino"), folder)
        form = run.Quantized("openvino", tuple(digested(folder / name) for name in FILES), method, "none")
        changed = run.add_form(stale, form, folder)
    assert [kept.backend for kept in changed.quantized] == ["onnxruntime", "openvino"]
    assert Bundle.load(bundle) == changed


def test_pictures_that_cannot_be_read_are_named(bundle, pictures, engine, capsys):
    for index in (1, 2):  # one that is calibrated on, one that is compared
        (pictures.parent / f"{index:03}.png").write_bytes(b"no picture")
    assert main(["quantize", str(bundle), "--calib", str(pictures)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert sorted(line.split(":")[0] for line in lines[:-1]) == ["001.png", "002.png"]
    assert lines[-1] == "2 pictures could not be read and were left out"
    (form,) = Bundle.load(bundle).quantized
    assert form.calibration.startswith("99 of 200 pictures of list.txt")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--ranges", "entropy"], "ranges for openvino is 'entropy'; write minmax, mean, ..."),
        (["--count", "0"], "count is 0; write 1 or more"),
        (["--check", "0"], "check is 0; write 1 or more"),
        (["--backend", "paddle"], "backend is 'paddle'; write openvino or onnxruntime"),
    ],
)
def test_mistakes_are_one_sentence(bundle, pictures, engine, capsys, arguments, sentence):
    assert main(["quantize", str(bundle), "--calib", str(pictures), *arguments]) == 2
    assert capsys.readouterr() == ("", says(f"{sentence}\n"))
    assert engine.calls == []


def test_a_bundle_without_onnx_is_told_the_command(copy, pictures, engine, capsys):
    assert main(["quantize", str(copy), "--calib", str(pictures)]) == 2
    assert capsys.readouterr().err == says(f"{copy} has no inference.onnx ...; add it with `ppcls onnx {copy}`\n")


@pytest.mark.parametrize(
    ("name", "absent", "said"),
    [
        ("openvino", "openvino", "OpenVINO"),
        ("openvino", "nncf", "NNCF"),
        ("onnxruntime", "onnx", "The package onnx"),
        ("onnxruntime", "ml_dtypes", "The package ml_dtypes"),
        ("onnxruntime", "onnxruntime", "ONNX Runtime"),
    ],
)
def test_a_package_that_is_missing_is_named_with_its_command(bundle, pictures, capsys, monkeypatch, name, absent, said):
    for module in ("openvino", "nncf", "onnx", "ml_dtypes", "onnxruntime"):
        monkeypatch.setitem(sys.modules, module, type(sys)(module))
    monkeypatch.setitem(sys.modules, absent, None)
    before = state(bundle)
    assert main(["quantize", str(bundle), "--calib", str(pictures), "--backend", name]) == 2
    assert capsys.readouterr().err == f"{said} is not installed; run `pip install 'ppcls[quantize]'`\n"
    assert state(bundle) == before
