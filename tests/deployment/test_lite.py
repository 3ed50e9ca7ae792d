"""Forms for Paddle Lite: what is converted, compared, kept and described. A stand-in takes paddlelite's place."""

from __future__ import annotations

import json
import logging
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from helpers.messages import says
from helpers.pictures import noise, save_picture
from ppcls.cli import main, parse_arguments
from ppcls.deployment.lite import LiteOptions, add, add_lite, converter, environment
from ppcls.deployment.verify.comparison import Comparison
from ppcls.deployment.verify.forms import Form
from ppcls.deployment.verify.report import FormResult, VerificationReport
from ppcls.engine import exporter
from ppcls.inference import Bundle, Golden, GoldenMismatch
from ppcls.utils.errors import UserError
from ppcls.utils.files import sha256_of

FAKE = Path(__file__).parents[1] / "helpers" / "fake_paddlelite"
# Runs the real worker on the stand-in
RUN = f"""
import runpy, sys
sys.path.insert(0, {str(FAKE)!r})
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def legacy(copy, monkeypatch):
    """A bundle whose program has the name of Paddle 2's, and a Python with the stand-in."""
    (copy / "inference.json").rename(copy / "inference.pdmodel")
    manifest = yaml.safe_load((copy / "inference.yml").read_text(encoding="utf-8"))
    manifest["program"]["file"] = "inference.pdmodel"
    (copy / "inference.yml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    monkeypatch.setattr(add, "lite_python", lambda given: Path(sys.executable))
    real = converter._command

    def command(python, *arguments):
        _, isolated, *rest = real(python, *arguments)
        assert isolated == "-I"
        return [sys.executable, "-c", RUN, *rest]

    monkeypatch.setattr(converter, "_command", command)
    scores_are(monkeypatch, copy, lambda scores: scores)
    return copy


def scores_are(monkeypatch, folder, change):
    """What a program for x86 gives: the golden scores, changed."""
    scores = change(Golden.of(Bundle.load(folder)).scores)
    path = folder.parent / "scores.npy"
    np.save(path, scores)
    monkeypatch.setenv("FAKE_LITE_SCORES", str(path))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_form_is_added_with_its_description(legacy, capsys):
    before = names(legacy)
    assert main(["lite", str(legacy)]) == 0
    program, description = legacy / "inference.arm.nb", legacy / "inference.arm.json"
    assert capsys.readouterr().out == (
        f"written: {program}, {description}; 0.0 MB; the same program for x86 gives the model's golden scores to "
        "0.0e+00 of their spread\n"
    )
    assert names(legacy) == sorted([*before, program.name, description.name])
    assert program.read_bytes() == b"\x02\0v2.12" + bytes(11) + b'{"precision": "float32", "target": "arm"}'
    manifest = yaml.safe_load((legacy / "inference.yml").read_text(encoding="utf-8"))
    bundle = Bundle.load(legacy)
    (form,) = bundle.lite
    assert manifest["schema"] == 4
    assert bundle.checked(*form.files) == (program, description)
    assert manifest["lite"] == [
        {
            "target": "arm",
            "precision": "float32",
            "program": {"file": program.name, "sha256": form.program.sha256},
            "description": {"file": description.name, "sha256": form.description.sha256},
            "converter": "paddlelite 2.12",
        }
    ]
    described = json.loads(description.read_text(encoding="utf-8"))
    shared = ("library", "architecture", "input", "output", "transforms", "class_names", "golden")
    assert described == {
        "schema": 1,
        "program": manifest["lite"][0]["program"],
        "target": "arm",
        "precision": "float32",
        "converter": "paddlelite 2.12",
        **{key: manifest[key] for key in shared},
    }


def test_a_bundle_without_forms_is_of_the_schema_before(legacy):
    Bundle.load(legacy).save()
    manifest = yaml.safe_load((legacy / "inference.yml").read_text(encoding="utf-8"))
    assert manifest["schema"] == 3 and "lite" not in manifest


def test_forms_of_other_targets_stay_and_the_same_one_is_replaced(legacy):
    for target in ("arm", "x86", "arm"):
        result = add_lite(Bundle.load(legacy), LiteOptions(target=target))
    assert [(form.target, form.precision) for form in result.bundle.lite] == [("x86", "float32"), ("arm", "float32")]
    result.bundle.checked(*result.bundle.entries)
    assert (legacy / "inference.x86.nb").read_bytes().endswith(b'"target": "x86"}')


@pytest.mark.parametrize("shift", [1e-3, float("nan")])
def test_other_scores_are_not_kept(legacy, monkeypatch, shift):
    before = names(legacy), (legacy / "inference.yml").read_bytes()
    scores_are(monkeypatch, legacy, lambda scores: scores + np.float32(shift) * np.arange(5, dtype=np.float32))
    with pytest.raises(GoldenMismatch) as caught:
        add_lite(Bundle.load(legacy), LiteOptions())
    assert str(caught.value) == says(
        f"{legacy} through Paddle Lite: the golden input's scores are off by ... (relative, at most 1e-05), so nothing "
        "was kept; run the bundle with another runtime"
    )
    assert (names(legacy), (legacy / "inference.yml").read_bytes()) == before


def test_the_bound_is_one_of_the_spread(legacy, monkeypatch):
    def scaled(factor):
        def change(scores):
            logits = np.log(scores.astype(np.float64))
            powers = np.exp(logits * factor)
            return (powers / powers.sum()).astype(np.float32)

        return change

    scores_are(monkeypatch, legacy, scaled(1 + 0.8e-5))
    assert 0.5e-5 < add_lite(Bundle.load(legacy), LiteOptions()).difference < 1e-5
    scores_are(monkeypatch, legacy, scaled(1 + 1.5e-5))
    with pytest.raises(GoldenMismatch):
        add_lite(Bundle.load(legacy), LiteOptions())


def test_a_program_that_cannot_be_converted(legacy, capsys):
    (legacy / "inference.pdmodel").write_bytes(b"broken")
    bundle = Bundle.load(legacy)
    program = replace(bundle.program, sha256=sha256_of(legacy / "inference.pdmodel"))
    bundle.change(program=program)
    assert main(["lite", str(legacy)]) == 2
    assert capsys.readouterr().err == (
        f"paddlelite could not convert {legacy} (idx >= blocks.size()); export the model again with --format pdmodel\n"
    )
    assert not list(legacy.glob("*.nb")) + list(legacy.glob(".*"))


def test_a_process_that_ends_while_it_runs_is_one_sentence(legacy, monkeypatch, capsys):
    monkeypatch.setenv("FAKE_LITE_ENDS", "1")
    assert main(["lite", str(legacy)]) == 2
    assert capsys.readouterr().err == (
        f"Paddle Lite ended while it ran {legacy}/.lite/twin.nb (out of memory); free memory if it is short, and "
        "convert again\n"
    )


def test_a_file_that_is_missing_ends_the_child_alone(legacy):
    bundle = Bundle.load(legacy)
    with pytest.raises(UserError) as caught, converter.running(Path(), bundle, legacy / "none.nb"):
        pass
    assert str(caught.value) == says(f"Paddle Lite ended while it ran {legacy}/none.nb (Unable to open file); ...")


def test_batches_of_any_size_run_in_one_process(legacy, tmp_path):
    bundle = Bundle.load(legacy)
    converter.convert(Path(), bundle, tmp_path / "x.nb", "x86", "float32")
    golden = Golden.of(bundle)
    with converter.running(Path(), bundle, tmp_path / "x.nb") as backend:
        for count in (1, 3, 2):
            scores = backend.run(np.repeat(golden.input, count, axis=0))
            np.testing.assert_array_equal(scores, np.repeat(golden.scores, count, axis=0))


def report(failure):
    seen = Comparison()
    seen.add(np.eye(5, dtype=np.float32), np.eye(5, dtype=np.float32))
    row = FormResult(Form("lite", "int8"), seen, failure)
    return VerificationReport("bundle", "float32", seen, (row,), {})


@pytest.mark.parametrize("failure", [None, "2 of 5 first classes differ (at most 3%)"])
def test_int8_is_kept_if_it_passes_the_gate(legacy, tmp_path, monkeypatch, capsys, failure):
    for index in range(4):
        save_picture(tmp_path / "pictures" / f"{index}.png", noise(48, 40, index))
    scores_are(monkeypatch, legacy, lambda scores: scores[:, ::-1])  # which float32 may not
    asked = SimpleNamespace()

    def compare(bundle, form, backend, samples, indices, which):
        asked.form, asked.indices, asked.which = str(form), indices, which
        asked.scores = backend.run(samples.inputs(indices))
        return report(failure)

    monkeypatch.setattr(add, "compare_int8", compare)
    code = main(["lite", str(legacy), "--int8", "--data", str(tmp_path / "pictures"), "--check", "2"])
    assert (asked.form, asked.indices, asked.which) == ("lite:int8", [1, 3], "of pictures")
    assert asked.scores.shape == (2, 5)
    out, err = capsys.readouterr()
    assert "lite" in out and ("passed" in out) == (failure is None)
    program = legacy / "inference.arm-int8.nb"
    if failure is None:
        assert (code, err) == (0, "")
        assert program.read_bytes()[18:] == b'{"precision": "QUANT_INT8", "target": "arm"}'
        assert Bundle.load(legacy).lite[0].precision == "int8"
        assert json.loads(program.with_suffix(".json").read_bytes())["precision"] == "int8"
    else:
        assert code == 2
        assert err == (f"the int8 form for Paddle Lite is not kept: {failure}; make the float32 form, without --int8\n")
        assert not program.exists() and not Bundle.load(legacy).lite


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--target", "mips"], "target is 'mips'; write arm or x86"),
        (["--int8"], "an int8 form is kept only if it is as good as float32; give pictures to compare them on (--data "
         "LIST)"),
        (["--data", "x"], "pictures are compared for int8 alone; write --int8 as well, or leave --data out"),
        (["--int8", "--data", "x", "--check", "0"], "check is 0; write 1 or more"),
    ],
)  # fmt: skip
def test_options_that_are_wrong_or_have_no_effect(legacy, capsys, words, sentence):
    assert main(["lite", str(legacy), *words]) == 2
    assert capsys.readouterr().err == f"{sentence}\n"


def test_a_program_of_paddle_3_is_told_the_export_that_helps(copy, capsys):
    assert main(["lite", str(copy)]) == 2
    err = capsys.readouterr().err
    assert err == says(f"{copy} has a program of Paddle 3, and Paddle Lite reads those of Paddle 2 alone; export ...\n")
    (command,) = re.findall("`(.*)`", err)
    assert command == (f"ppcls export -c Tiny --untrained -o Global.save_inference_dir={copy}_pdmodel --format pdmodel")
    parse_arguments(shlex.split(command)[1:])
    Bundle.load(copy).change(weights_sha256="d" * 64)
    main(["lite", str(copy)])
    assert " -o Global.pretrained_model=https://example.org/tiny.pdparams " in capsys.readouterr().err
    Bundle.load(copy).change(architecture_arguments=None)
    assert main(["lite", str(copy)]) == 2
    assert capsys.readouterr().err == says("... the model it was adopted from as inference.pdmodel, and adopt that\n")


def test_an_export_keeps_a_bundle_with_a_form_aside(legacy):
    add_lite(Bundle.load(legacy), LiteOptions())
    new = Bundle.load(legacy)
    assert exporter._another(legacy, new) == "a bundle with a form for Paddle Lite"
    new.change(lite=())
    assert exporter._another(legacy, new) is None


@pytest.fixture
def pythons(monkeypatch, tmp_path):
    """Which Pythons there are, by what they can do; commands that install are recorded, and make the environment."""
    seen = SimpleNamespace(is_3_7=set(), ready=set(), commands=[], fails=None)

    def run(command, **options):
        if command[1:3] == ["-I", "-c"]:
            can = seen.ready if command[3] == environment._IS_READY else seen.is_3_7
            return subprocess.CompletedProcess(command, 0 if command[0] in can else 1)
        seen.commands.append(command)
        if command[1:4] == ["-I", "-m", "venv"]:
            python = Path(command[4]) / "bin" / "python"
            python.parent.mkdir()
            python.touch()
            seen.ready.update([str(python), str(home / "paddlelite-2.12" / "bin" / "python")])
        elif seen.fails is not None:
            return subprocess.CompletedProcess(command, 1, seen.fails, "")
        return subprocess.CompletedProcess(command, 0, "", "")

    home = tmp_path / "home"
    monkeypatch.setenv("PPCLS_HOME", str(home))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    monkeypatch.delenv("CONDA_EXE", raising=False)
    monkeypatch.delenv("PPCLS_OFFLINE", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(environment, "subprocess", SimpleNamespace(run=run))
    return seen


def test_the_environment_is_made_once(pythons, tmp_path, caplog):
    python = tmp_path / "pyenv" / "versions" / "3.7.16" / "bin" / "python3.7"
    python.parent.mkdir(parents=True)
    python.touch()
    pythons.is_3_7 = {str(python)}  # the one on the PATH is a shim that fails
    home = tmp_path / "home" / "paddlelite-2.12"
    with caplog.at_level(logging.INFO):
        assert environment.lite_python() == home / "bin" / "python"
    aside = str(tmp_path / "home" / ".paddlelite-2.12.new")
    venv, pip = pythons.commands
    assert venv == [str(python), "-I", "-m", "venv", aside]
    assert pip[:5] == [f"{aside}/bin/python", "-I", "-m", "pip", "install"]
    assert pip[-2:] == ["paddlelite==2.12", "numpy==1.21.6"]
    assert (home / "bin" / "python").is_file() and not Path(aside).exists()
    assert environment.lite_python() == home / "bin" / "python"
    assert len(pythons.commands) == 2


def test_a_given_python_with_paddlelite_is_used_as_it_is(pythons):
    pythons.ready = {"/mine"}
    assert environment.lite_python("/mine") == Path("/mine")
    assert not pythons.commands


def test_a_given_python_makes_the_environment(pythons):
    pythons.is_3_7 = {"/mine"}
    environment.lite_python("/mine")
    assert pythons.commands[0][0] == "/mine"


@pytest.mark.parametrize(
    ("given", "offline", "fails", "sentence"),
    [
        (None, None, None, "paddlelite==2.12 needs Python 3.7, and there is none; install it (`pyenv install 3.7`, or "
         "`conda create -n lite python=3.7`), or name one by --python"),
        ("/other", None, None, "--python /other is not a Python 3.7 with the modules venv and ensurepip, which "
         "paddlelite==2.12 needs; give the path of one"),
        ("/mine", "1", None, "PPCLS_OFFLINE=1 forbids installing paddlelite==2.12; unset it, or name a Python 3.7 that "
         "has it by --python"),
        ("/mine", None, "pip says\nno index\n", "paddlelite==2.12 cannot be installed into an environment of ... (no "
         "index); it has builds for x86-64 alone, and pip needs a package index that it can reach"),
    ],
)  # fmt: skip
def test_an_environment_that_cannot_be_made(pythons, tmp_path, monkeypatch, given, offline, fails, sentence):
    pythons.is_3_7 = {"/mine"}
    pythons.fails = fails
    if offline is not None:
        monkeypatch.setenv("PPCLS_OFFLINE", offline)
    with pytest.raises(UserError) as caught:
        environment.lite_python(given)
    assert str(caught.value) == says(sentence)
    assert not list(tmp_path.glob("home/*"))
