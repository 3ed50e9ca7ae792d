"""`ppcls benchmark` with one call of each kind: what it prints and writes, not how fast anything is."""

import csv
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml

from helpers.messages import says
from ppcls.arch.model_table import MODELS
from ppcls.benchmark import sheet
from ppcls.benchmark.backends import measure_backends
from ppcls.cli import benchmark_backends, benchmark_latency, main
from ppcls.deployment.verify.forms import REFERENCE, form_digest
from ppcls.inference.backends import open_backend
from ppcls.inference.bundle import Bundle, digested
from ppcls.inference.entries import DigestedFile
from ppcls.inference.golden import Golden
from ppcls.inference.settings import Settings
from ppcls.utils.errors import UserError

QUICK = ["--rounds", "1", "--settle", "0", "--span", "0"]


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch):
    monkeypatch.setattr("ppcls.benchmark.machine.running_threads", lambda: 0.0)


def backends(folder, *more):
    return main(["benchmark", "backends", str(folder), "--precision", "fp32", "--threads", "1", *QUICK, *more])


def test_the_choice_is_written_and_taken_back(copy, capsys):
    assert backends(copy) == 0
    said = capsys.readouterr().out
    assert re.search(r"(?m)^paddle +float32 +1 +1  .* chosen$", said)
    # A bundle without an ONNX form is run by Paddle alone; the other rows say so.
    assert f"\nonnxruntime, float32: not measured: {_without_onnx(copy, 'onnxruntime')}\n" in said
    assert said.splitlines()[-1] == says(
        f"written to {copy}/inference.yml: paddle, float32, cpu, 1 threads, 1 request (before: "
        f"none); `ppcls benchmark backends {copy} --reset` ..."
    )
    assert Bundle.load(copy).settings == Settings(threads=1)
    assert main(["benchmark", "backends", str(copy), "--reset"]) == 0
    assert capsys.readouterr().out == says(
        f"{copy}/inference.yml: settings removed (... paddle, float32, cpu, 1 threads, 1 request)\n"
    )
    assert Bundle.load(copy).settings is None


def test_what_another_command_adds_while_it_measures_stays(copy, monkeypatch):
    def meanwhile(*arguments):
        (copy / "inference.onnx").write_bytes(b"onnx")
        Bundle.load(copy).change(onnx=digested(copy / "inference.onnx"))
        return measure_backends(*arguments)

    monkeypatch.setattr("ppcls.benchmark.backends.measure_backends", meanwhile)
    assert backends(copy) == 0
    bundle = Bundle.load(copy)
    assert (bundle.onnx, bundle.settings) == (digested(copy / "inference.onnx"), Settings(threads=1))


def _without_onnx(folder, engine):
    with pytest.raises(UserError) as caught:
        open_backend(Bundle.load(folder), Settings(engine))
    return str(caught.value)


def test_a_dry_run_writes_nothing(copy, capsys):
    before = (copy / "inference.yml").read_bytes()
    assert backends(copy, "--dry-run", "--goal", "latency") == 0
    said = capsys.readouterr().out
    assert "batch 1 (ms)" in said
    assert said.splitlines()[-1] == says(
        f"--dry-run: {copy}/inference.yml is unchanged (settings: none); ...: paddle, float32, "
        "cpu, 1 threads, 1 request"
    )
    assert (copy / "inference.yml").read_bytes() == before


def test_a_program_that_is_not_the_model_is_not_chosen(copy, capsys, write_golden):
    golden = Golden.load(copy / "golden.npz")
    write_golden(copy, replace(golden, scores=golden.scores[:, ::-1]))
    before = (copy / "inference.yml").read_bytes()
    assert backends(copy) == 2
    captured = capsys.readouterr()
    assert "the golden input's scores are off by " in captured.out
    assert captured.err == says(
        f"{copy}: no candidate may be chosen ... settings are unchanged; ... lines below the table say why\n"
    )
    assert (copy / "inference.yml").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--allow", "bf16,int8"], "--allow bfloat16,int8 needs pictures ...; write --data LIST ..."),
        (["--data", "x"], "--data ... --allow ...; write --allow bfloat16, or leave --data out"),
    ],
)
def test_allow_and_data_belong_together(exported, capsys, arguments, sentence):
    assert backends(exported, *arguments) == 2
    assert capsys.readouterr().err == says(f"{sentence}\n")


def test_halves_that_disagree_are_warned_of(copy, capsys, monkeypatch):
    monkeypatch.setattr("ppcls.benchmark.backends.SETTLED", 0.0)
    assert backends(copy, "--dry-run") == 0
    captured = capsys.readouterr()
    assert "takes at most x 1.000 of the fastest one's time\n" in captured.out
    assert captured.err == says("warning: the two halves disagree ...; measure again ..., or with more --rounds\n")


def test_a_busy_machine_is_warned_of(copy, capsys, monkeypatch):
    monkeypatch.setattr("ppcls.benchmark.machine.running_threads", lambda: 999.0)
    assert backends(copy, "--dry-run") == 0
    assert capsys.readouterr().err.startswith("warning: 999.0 threads of other programs competed for ")


def test_latency_of_a_bundle(exported, tmp_path, capsys):
    arguments = ["benchmark", "latency", "--bundles", str(exported), "--batch-size", "1,2", "--backend", "paddle,trt"]
    assert main([*arguments, *QUICK, "--output", str(tmp_path / "out")]) == 0
    captured = capsys.readouterr()
    name = f"Tiny in {exported}"
    assert re.search(rf"\n{re.escape(name)}  +[\d.]+ \([\d.]+ to [\d.]+\)  ", captured.out)
    assert "PaddleClas" not in captured.out
    assert f"| {name} | 32x32 | 40 | " in (tmp_path / "out" / "latency.md").read_text()
    reason = "TensorRT runs inside Paddle on a GPU alone, not by paddle on a CPU; write -o Global.use_gpu=True and no "
    reason += "other backend (in Python, device='gpu'), or leave TensorRT out"
    assert f"\nnot measured: trt, float32, {name}: {reason}\n" in captured.out
    files = [f"{tmp_path}/out/latency{suffix}" for suffix in (".md", ".csv", ".json")]
    assert captured.err == f"{name}: measured (1 of 1)\nwritten: {', '.join(files)}\n"
    lines = list(csv.DictReader((tmp_path / "out" / "latency.csv").read_text().splitlines()))
    assert [(line["backend"], line["batch"], line["calls"]) for line in lines] == [
        ("paddle", "1", "1"), ("paddle", "2", "1"), ("trt", "1", "0"), ("trt", "2", "0"),
    ]  # fmt: skip
    first = json.loads((tmp_path / "out" / "latency.json").read_text())["rows"][0]
    assert main([*arguments[:-1], "paddle", *QUICK, "--output", str(tmp_path / "out")]) == 0  # goes on: nothing is left
    assert json.loads((tmp_path / "out" / "latency.json").read_text())["rows"][0] == first
    assert capsys.readouterr().err.startswith(f"{name}: was measured before (1 of 1)\n")


def latency(out, *bundles):
    """Runs the command; returns the digests of what the rows are of, by their models' names."""
    arguments = ["--batch-size", "1", *QUICK, "--output", str(out), "--bundles", *map(str, bundles)]
    assert main(["benchmark", "latency", *arguments]) == 0
    rows = json.loads((out / "latency.json").read_text())["rows"]
    assert len({row["model"] for row in rows}) == len(rows)
    return {row["model"]: row["form_digest"] for row in rows}


def test_the_order_of_bundles_changes_no_name(exported, tmp_path, monkeypatch, capsys):
    one, other = (tmp_path / name for name in ("one", "other"))
    for folder in (one, other):
        shutil.copytree(exported, folder)
    parameters = {"file": "inference.pdiparams", "sha256": "0" * 64}
    manifest = yaml.safe_load((other / "inference.yml").read_text())
    assert manifest["parameters"]["file"] == parameters["file"]
    (other / "inference.yml").write_text(yaml.safe_dump({**manifest, "parameters": parameters}))
    monkeypatch.setattr("ppcls.benchmark.latency_targets.open_backend", lambda bundle, settings: FakeBackend())
    # The published figures are of inputs like these, so a bundle alone has the model's name.
    monkeypatch.setitem(MODELS, "Tiny", replace(MODELS["DLA34"], input_size=(3, 32, 32)))
    digests = [form_digest(Bundle.load(folder), REFERENCE) for folder in (one, other)]
    expected = {f"Tiny in {one}": digests[0], f"Tiny in {other}": digests[1]}
    assert latency(tmp_path / "out", one, other) == expected
    assert capsys.readouterr().err.count(": measured (") == 2
    assert latency(tmp_path / "out", other, one) == expected
    assert capsys.readouterr().err.count(": was measured before (") == 2
    assert latency(tmp_path / "out", one) == {**expected, "Tiny": digests[0]}
    assert latency(tmp_path / "alone", other, other) == {"Tiny": digests[1]}


def test_a_bundle_that_was_exported_again_is_measured_again(copy, edit, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("ppcls.benchmark.latency_targets.open_backend", lambda bundle, settings: FakeBackend())
    (first,) = latency(tmp_path / "out", copy).values()
    edit({"parameters": {"file": "inference.pdiparams", "sha256": "0" * 64}})
    capsys.readouterr()
    (second,) = latency(tmp_path / "out", copy).values()
    assert first != second == form_digest(Bundle.load(copy), REFERENCE)
    assert capsys.readouterr().err.startswith(f"Tiny in {copy}: measured (1 of 1)\n")
    assert latency(tmp_path / "out", copy) == {f"Tiny in {copy}": second}
    assert capsys.readouterr().err.startswith(f"Tiny in {copy}: was measured before (1 of 1)\n")


def test_an_untrained_model_is_known_by_its_name(exported, tmp_path, monkeypatch, capsys):
    exports = []

    def untrained(name, folder):
        exports.append(name)
        return replace(Bundle.load(exported), parameters=DigestedFile("p", str(len(exports)).zfill(64)))

    monkeypatch.setattr("ppcls.benchmark.shipped_bundles.untrained_bundle", untrained)
    monkeypatch.setattr("ppcls.benchmark.shipped_bundles.open_untrained", lambda bundle, settings: FakeBackend())
    arguments = ["benchmark", "latency", "--models", "DLA34", *QUICK, "--output", str(tmp_path / "out"), "--batch-size"]
    for batches in ("1", "1,2", "1,2"):
        assert main([*arguments, batches]) == 0
    assert exports == ["DLA34"] * 2
    rows = json.loads((tmp_path / "out" / "latency.json").read_text())["rows"]
    assert [(row["model"], row["batch"], row["form_digest"]) for row in rows] == [
        ("DLA34", 1, "untrained"), ("DLA34", 2, "untrained"),
    ]  # fmt: skip


class FakeBackend:
    def run(self, batch):
        return np.full((len(batch), 5), 0.2, np.float32)


def test_nothing_that_can_be_measured_is_an_error(exported, capsys):
    assert main(["benchmark", "latency", "--bundles", str(exported), "--backend", "tensorrt", *QUICK]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == says(
        "nothing could be measured: TensorRT ... not by paddle on a CPU; write -o "
        "Global.use_gpu=True ... or leave TensorRT out"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--backend", "tenosrrt"], "'tenosrrt' is unknown; write some of paddle,paddle-openvino,onnxruntime,..."),
        (["--precision", "fp8"], "'fp8' is unknown; write some of float32,float16,bfloat16,int8"),
        (["--batch-size", "1,x"], "'1,x' is not a list of whole numbers; ... such as 1,4,8"),
        (["--batch-size", "0"], "0 is in the list; write whole numbers from 1"),
        (["--rounds", "0"], "'0' is not a whole number from 1"),
        (["--threads", "1,2"], "'1,2' is not a whole number from 1"),
        (["--batch-size", ","], "the list is empty; write values with commas between"),
    ],
)
def test_arguments_that_are_wrong(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["benchmark", "latency", "--models", "DLA34", *arguments])
    assert caught.value.code == 2
    assert capsys.readouterr().err == says(
        f"ppcls benchmark latency: argument {arguments[0]}: {sentence}; see `ppcls benchmark latency --help`\n"
    )


def test_a_place_that_cannot_be_written_is_said_before_anything_is_measured(exported, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sheet.os, "access", lambda path, mode: False)
    for module in (benchmark_backends, benchmark_latency):
        monkeypatch.setattr(module, "warn_if_busy", lambda: pytest.fail("it goes on"))
    assert main(["benchmark", "latency", "--bundles", str(exported), "--output", str(tmp_path / "out")]) == 2
    assert main(["benchmark", "backends", str(exported)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path / 'out'} cannot be written to; give another --output",
        says(f"{exported} cannot be written to; write --dry-run ..."),
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--models", "DLA43"], "... 'DLA43' (did you mean DLA34?); `ppcls models` ..."),
        (["--models", "DLA34", "--settle", "-1"], "settle is -1; write seconds, 0 or more"),
        (["--models", "DLA34", "--span", "nan"], "span is nan; write seconds, 0 or more"),
        (["--models", "DLA34", "--threads", "2000"], "threads is 2000; write a whole number from 1 to 1024"),
    ],
)
def test_values_that_are_wrong(arguments, sentence, capsys):
    assert main(["benchmark", "latency", *arguments]) == 2
    assert capsys.readouterr().err == says(f"{sentence}\n")


def test_an_untrained_model_has_no_int8_form(exported):
    from ppcls.benchmark.shipped_bundles import open_untrained

    with pytest.raises(UserError, match=r"^int8 needs ranges of real pictures; quantize exported bundles by "):
        open_untrained(Bundle.load(exported), Settings("openvino", "int8"))


@pytest.mark.slow
def test_models_are_exported_untrained_at_their_own_size(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ppcls.arch.families.darknet.network._BLOCKS", (1,) * 5)  # instead of 23
    (tmp_path / "SqueezeNet1_1").mkdir()  # what a user calls his folders does not matter
    arguments = ["benchmark", "latency", "--models", "SqueezeNet1_1,DarkNet*", "--batch-size", "1", "--precision"]
    assert main([*arguments, "fp32,int8", *QUICK, "--output", "out"]) == 0
    said = capsys.readouterr().out
    written = (tmp_path / "out" / "latency.md").read_text()
    published = " | ".join(f"{value:g}" for value in MODELS["DarkNet53"].v100_fp32_ms)
    assert "| SqueezeNet1_1 | 224x224 | 256 | " in written
    assert "| DarkNet53 | 256x256 | 292 | " in written
    assert f" | {published} | " in written
    assert re.search(r"(?m)^DarkNet53 +[\d.]+ \([\d.]+ to [\d.]+\)$", said)
    assert "\nnot measured: paddle, int8, DarkNet53: paddle on a CPU does not compute in int8; " in said
    assert "The models were exported with their initial weights, which does not change how long they take.\n" in said
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "latency.csv", "latency.json", "latency.md", "latency_paddle_float32.png",
    ]  # fmt: skip
