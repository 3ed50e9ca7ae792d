"""The conversion to ONNX, with stand-ins for paddle2onnx and for the process that it runs in."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from helpers.messages import says
from ppcls.cli import main
from ppcls.deployment import installing
from ppcls.deployment.onnx import export as onnx_export
from ppcls.engine.exporter import export_bundle
from ppcls.inference import Bundle, GoldenMismatch
from ppcls.inference.bundle import digested
from ppcls.inference.settings import Settings
from ppcls.utils.child import command
from ppcls.utils.errors import UserError


@pytest.fixture
def installed(monkeypatch):
    """What `find_spec` says is installed: paddle2onnx, and not ONNX Runtime."""
    names = {"paddle2onnx"}
    finder = SimpleNamespace(find_spec=lambda name: name if name in names else None)
    monkeypatch.setattr(onnx_export, "importlib", SimpleNamespace(util=finder))
    return names


@pytest.fixture
def child(monkeypatch):
    """Writes a file in place of the conversion; `fails` is what a child says that does not."""
    seen = SimpleNamespace(commands=[], environments=[], fails=None)

    def run(command, **options):
        seen.commands.append(command)
        seen.environments.append(options["env"])
        if seen.fails is not None:
            return subprocess.CompletedProcess(command, -6, *seen.fails)
        target, opset = command[-4:-2]
        Path(target).write_bytes(b"onnx of opset " + opset.encode())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(onnx_export, "subprocess", SimpleNamespace(run=run))
    return seen


@pytest.mark.parametrize("opset", [5, 6, 22, 23])
def test_opsets_that_would_abort_are_refused(opset, installed, capsys):
    assert main(["onnx", "anywhere", "--opset", str(opset)]) == 2
    assert capsys.readouterr().err == f"--opset is {opset}; paddle2onnx writes 7 to 21\n"


def test_paddle2onnx_is_not_installed(installed, capsys, monkeypatch):
    installed.clear()
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    assert main(["export", "-c", "SqueezeNet1_1", "--onnx"]) == 2
    assert capsys.readouterr().err == "paddle2onnx is not installed; run `pip install 'ppcls[onnx]'`\n"
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    assert main(["onnx", "anywhere"]) == 2
    assert capsys.readouterr().err == says(
        "paddle2onnx ... onnx ... Python 3.13 and later; run this on Python 3.10 to 3.12, ... "
        "`pip install 'ppcls[onnx]'` ...\n"
    )


def test_an_opset_for_no_onnx(capsys):
    assert main(["export", "-c", "SqueezeNet1_1", "--opset", "13"]) == 2
    assert capsys.readouterr().err == "--opset belongs to --onnx; write --onnx as well\n"


def test_the_file_goes_into_the_bundle(copy, installed, child, capsys):
    manifest = yaml.safe_load((copy / "inference.yml").read_text(encoding="utf-8"))
    assert main(["onnx", str(copy)]) == 0
    ((*python, program, parameters, _, opset, image, scores),) = child.commands
    assert (python, opset) == (command("ppcls.deployment.onnx.child"), "13")
    assert (image, scores) == ("image", "fetch_name_0")
    assert (program, parameters) == (str(copy / "inference.json"), str(copy / "inference.pdiparams"))
    assert child.environments[0]["PYTHONPATH"]
    assert "inference.onnx: opset 13; its scores were not compared: ONNX Runtime" in capsys.readouterr().out
    bundle = Bundle.load(copy)
    assert bundle.checked(bundle.onnx) == (copy / "inference.onnx",)
    changed = yaml.safe_load((copy / "inference.yml").read_text(encoding="utf-8"))
    assert changed == {**manifest, "onnx": {"file": "inference.onnx", "sha256": bundle.onnx.sha256}}
    assert sorted(path.name for path in copy.iterdir()) == [
        "golden.npz", "inference.json", "inference.onnx", "inference.pdiparams", "inference.yml",
    ]  # fmt: skip
    assert main(["onnx", str(copy), "--opset", "9"]) == 0  # in place of the first
    assert (copy / "inference.onnx").read_bytes() == b"onnx of opset 9"
    Bundle.load(copy).checked(Bundle.load(copy).onnx)


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (("start\nFailed to convert PaddlePaddle model: no op x.\n", "Traceback\nKeyError: 1\n"), "Failed to convert "
         "PaddlePaddle model: no op x."),
        (("start\n", "\nAborted at 0x1\n\n"), "Aborted at 0x1"),
        (("", ""), "it printed nothing"),
    ],
)  # fmt: skip
def test_a_failing_conversion_is_one_sentence(copy, installed, child, capsys, output, text):
    before = (copy / "inference.yml").read_bytes()
    child.fails = output
    assert main(["onnx", str(copy), "--opset", "11"]) == 2
    assert capsys.readouterr().err == f"paddle2onnx could not convert Tiny to opset 11: {text}\n"
    assert (copy / "inference.yml").read_bytes() == before
    assert not list(copy.glob("*.onnx*")) + list(copy.glob(".*"))


@pytest.mark.parametrize("difference", [1e-3, float("nan")])
def test_other_scores_are_not_kept(copy, installed, child, monkeypatch, difference):
    before = (copy / "inference.yml").read_bytes()
    monkeypatch.setattr(onnx_export, "_golden_difference", lambda bundle: difference)
    with pytest.raises(GoldenMismatch) as caught:
        onnx_export.add_onnx(Bundle.load(copy))
    assert str(caught.value) == says(
        f"Tiny as ONNX: ... {difference:.3g} (relative, at most 0.0002), ...; try another --opset"
    )
    assert (copy / "inference.yml").read_bytes() == before
    assert not list(copy.glob("*.onnx*")) + list(copy.glob(".*"))


def test_what_another_process_added_meanwhile_is_kept(copy, installed, child):
    stale = Bundle.load(copy)
    stale.change(settings=Settings(threads=1))
    changed = onnx_export.add_onnx(stale)
    assert (changed.settings, changed.onnx) == (Settings(threads=1), digested(copy / "inference.onnx"))
    assert Bundle.load(copy) == changed


def state(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("older", [False, True])
def test_a_process_that_is_killed_leaves_a_bundle_that_is_whole(copy, installed, child, monkeypatch, older):
    """After every step the manifest names no file, or one that has its digest and was synced before."""
    if older:
        onnx_export.add_onnx(Bundle.load(copy), 9)
    rename, synced, steps = Path.rename, [], []

    def watched(path, target):
        if path.name == "inference.onnx" and target.parent == copy:
            synced.append(path in seen)
        steps.append(Bundle.load(copy).onnx)
        rename(path, target)
        steps.append(Bundle.load(copy).onnx)

    seen, sync = [], installing.sync_file
    monkeypatch.setattr(installing, "sync_file", lambda path: (seen.append(path), sync(path)))
    monkeypatch.setattr(Path, "rename", watched)
    (copy / ".onnx").mkdir()  # of a process that was killed before
    (copy / ".onnx" / "older").touch()
    bundle = onnx_export.add_onnx(Bundle.load(copy), 13)
    assert steps == [None] * (4 if older else 2)
    assert synced == [True]
    assert bundle.checked(bundle.onnx)[0].read_bytes() == b"onnx of opset 13"
    assert not (copy / ".onnx").exists()


@pytest.mark.parametrize("saves", [0, 1])
@pytest.mark.parametrize("older", [False, True])
def test_ctrl_c_at_the_end_leaves_the_bundle_as_it_was(copy, installed, child, interrupt_after, saves, older):
    if older:
        onnx_export.add_onnx(Bundle.load(copy), 9)
    before = state(copy)
    interrupt_after(saves)
    with pytest.raises(KeyboardInterrupt):
        onnx_export.add_onnx(Bundle.load(copy), 13)
    assert state(copy) == before


def test_equal_scores_are_said(copy, installed, child, monkeypatch, caplog):
    monkeypatch.setattr(onnx_export, "_golden_difference", lambda bundle: 3e-7)
    with caplog.at_level(logging.INFO, "ppcls"):
        onnx_export.add_onnx(Bundle.load(copy))
    assert caplog.messages == [
        "inference.onnx: opset 13; through ONNX Runtime its scores differ by 3.0e-07 of their spread"
    ]


def test_an_export_with_onnx_replaces_the_whole_bundle(copy, tiny_network, installed, child, monkeypatch):
    from paddle.nn import Sequential

    for engine in ("onnxruntime", "openvino"):  # they would read what the child wrote
        monkeypatch.setitem(sys.modules, engine, None)
    pipeline = Bundle.load(copy).pipeline
    model = Sequential(*list(tiny_network())[:-1])  # its own softmax left out
    (copy / "inference.openvino-int8.xml").touch()  # of the model that lay here before
    model_facts = {"architecture": "Tiny", "class_num": 5, "image_shape": (3, 32, 32)}
    export_bundle(model, pipeline, copy, **model_facts, opset=15)
    assert (copy / "inference.onnx").read_bytes() == b"onnx of opset 15"
    bundle = Bundle.load(copy)
    bundle.checked(bundle.onnx)
    assert not (copy / "inference.openvino-int8.xml").exists()
    (copy / "holiday.jpg").touch()
    with pytest.raises(UserError, match=r"is not a bundle's folder \(it holds 'holiday.jpg'\)"):
        export_bundle(model, pipeline, copy, **model_facts)
