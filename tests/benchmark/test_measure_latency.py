import csv
import io
import json
from dataclasses import replace

import pytest
from PIL import Image

from helpers.fake_time import Clock, FakeBackend
from helpers.messages import says
from ppcls.benchmark import machine
from ppcls.benchmark.latency import LatencyCase, LatencyRow, measure_latency
from ppcls.benchmark.latency_run import plot_data, write_plots
from ppcls.benchmark.latency_sheet import LatencySheet
from ppcls.benchmark.plot import AccuracyPoint, Point
from ppcls.benchmark.published import ModelFacts
from ppcls.benchmark.tables import csv_text, markdown, short, spread
from ppcls.benchmark.timing import Plan
from ppcls.inference.bundle import Bundle
from ppcls.inference.settings import BACKENDS, Settings
from ppcls.utils.errors import UserError

HEADING = {"machine": "a machine", "device": "cpu", "method": "two rounds"}
FACTS = {
    "Tiny": ModelFacts(1.25, 0.5, 60.1, {"V100 FP32": {1: 0.62, 4: 1.3, 8: 2.09}, "T4 FP16": {1: 0.81378}}),
    "Unpublished": ModelFacts(2.5, 1.5),
}


def row(model="Tiny", batch=1, milliseconds=2.0, backend="paddle", precision="float32", **more):
    times = {"median_ms": milliseconds, "p5_ms": milliseconds - 0.5, "p95_ms": milliseconds + 1, "calls": 10}
    return LatencyRow(model, "32x32", 40, backend, precision, batch, **({} if "reason" in more else times), **more)


def sheet(*rows, heading=HEADING, folder=None):
    made = LatencySheet(folder, heading, FACTS, ["A note."])
    made.add(*rows)
    return made


def test_every_case_gets_a_row(exported):
    clock = Clock()
    opened = []

    def open_it(bundle, settings):
        opened.append(settings)
        if settings.backend == "openvino":
            raise UserError("OpenVINO is not installed")
        return FakeBackend(clock, {"paddle": 0.002, "onnxruntime": 0.001}[settings.backend])

    cases = [
        LatencyCase(backend, "float32", batch) for backend in ("paddle", "onnxruntime", "openvino") for batch in (1, 4)
    ]
    cases += [LatencyCase("trt", "float32", 1), LatencyCase("paddle", "float16", 1)]
    settings = Settings(threads=2)
    rows = measure_latency("Tiny", Bundle.load(exported), cases, settings, Plan(3, 0, 0), open_it, clock)
    assert [one.case for one in rows] == cases
    assert opened == [replace(settings, backend=name) for name in ("paddle", "onnxruntime", "openvino")]
    assert rows[1] == LatencyRow("Tiny", "32x32", 40, "paddle", "float32", 4, 8.0, 8.0, 8.0, 3)
    assert [one.median_ms for one in rows] == [2.0, 8.0, 1.0, 4.0, None, None, None, None]
    assert [one.reason for one in rows[4:]] == [
        "OpenVINO is not installed",
        "OpenVINO is not installed",
        says("TensorRT ... on a GPU alone, ...; write -o Global.use_gpu=True ... device='gpu'), or leave TensorRT out"),
        says("paddle on a CPU ... float16; write precision float32 or bfloat16"),
    ]


def test_tensorrt_takes_the_largest_batch_whole(exported):
    clock, opened = Clock(), []

    def open_it(bundle, settings):
        opened.append(settings)
        return FakeBackend(clock, 0.001)

    for largest in (8, 64):
        cases = [LatencyCase("trt", "float16", batch) for batch in (1, largest)]
        measure_latency("Tiny", Bundle.load(exported), cases, Settings(device="gpu"), Plan(1, 0, 0), open_it, clock)
    assert [(one.backend, one.precision, one.tensorrt.max_batch) for one in opened] == [
        ("trt", "float16", 32), ("trt", "float16", 64),
    ]  # fmt: skip


def test_markdown():
    rows = [row(), row(batch=8, milliseconds=10.0), row("Unpublished", milliseconds=3.0)]
    rows += [row(backend="trt", batch=batch, reason="no TensorRT") for batch in (1, 8)]
    assert sheet(*rows).markdown() == (
        "- machine: a machine\n"
        "- device: cpu\n"
        "- method: two rounds\n"
        "\n"
        "### paddle, float32\n"
        "\n"
        "| model | crop (px) | resize_short (px) | batch 1 (ms) | batch 8 (ms) | PaddleClas, V100 FP32, batch 1 (ms) "
        "| PaddleClas, V100 FP32, batch 4 (ms) | PaddleClas, V100 FP32, batch 8 (ms) "
        "| PaddleClas, T4 FP16, batch 1 (ms) |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        "| Tiny | 32x32 | 40 | 2.00 (1.50 to 3.00) | 10.00 (9.50 to 11.00) | 0.62 | 1.3 | 2.09 | 0.81378 |\n"
        "| Unpublished | 32x32 | 40 | 3.00 (2.50 to 4.00) |  |  |  |  |  |\n"
        "\n"
        "- not measured: trt, float32, Tiny: no TensorRT\n"
        "\n"
        "Cells: the median of the timed calls, and the 5th and 95th percentile, for the whole batch. The columns named "
        "PaddleClas are as it published them, by TensorRT on a V100 or T4; they were not measured here.\n"
        "\n"
        "A note.\n"
    )


def test_on_a_terminal_there_are_no_published_figures():
    """Where the ranges of the calls do not fit, there are medians only."""
    rows = [row(), row(batch=8, milliseconds=10.0), row("Unpublished", milliseconds=3.0)]
    rows.append(row(backend="trt", reason="no TensorRT"))
    shown = sheet(*rows)
    assert shown.for_terminal(80) == (
        "machine: a machine\ndevice: cpu\nmethod: two rounds\n"
        "\n"
        "paddle, float32\n"
        "model               batch 1 (ms)           batch 8 (ms)\n"
        "Tiny         2.00 (1.50 to 3.00)  10.00 (9.50 to 11.00)\n"
        "Unpublished  3.00 (2.50 to 4.00)\n"
        "\n"
        "not measured: trt, float32, Tiny: no TensorRT\n"
        "Cells: the median of the timed calls, and the 5th and 95th percentile, for the whole batch.\n"
        "A note."
    )
    assert shown.for_terminal(50).splitlines()[5:8] == [
        "model        batch 1 (ms)  batch 8 (ms)",
        "Tiny                 2.00         10.00",
        "Unpublished          3.00",
    ]


def test_csv_and_json():
    made = sheet(row(batch=8), row("Unpublished", reason="no, not here"))
    lines = list(csv.DictReader(io.StringIO(made.csv())))
    assert lines[0] == {
        "model": "Tiny", "crop": "32x32", "resize_short": "40", "backend": "paddle", "precision": "float32",
        "batch": "8", "median_ms": "2.0", "p5_ms": "1.5", "p95_ms": "3.0", "calls": "10", "reason": "",
        "form_digest": "", "published_v100_fp32_ms": "2.09", "published_t4_fp16_ms": "",
    }  # fmt: skip
    assert (lines[1]["median_ms"], lines[1]["reason"]) == ("", "no, not here")
    content = json.loads(made.json())
    assert content["heading"] == HEADING
    assert content["rows"][0]["median_ms"] == 2.0
    assert content["models"]["Tiny"]["published"]["V100 FP32"] == {"1": 0.62, "4": 1.3, "8": 2.09}


def test_an_interrupted_run_goes_on(tmp_path):
    first = sheet(row(), row(batch=4, reason="OpenVINO is not installed"), folder=tmp_path)
    assert [file.name for file in first.write()] == ["latency.md", "latency.csv", "latency.json"]
    second = sheet(folder=tmp_path)
    assert second.rows == [row()]  # what could not be measured is tried again
    cases = [LatencyCase("paddle", "float32", batch) for batch in (1, 4)]
    assert second.missing("Tiny", cases) == cases[1:]
    assert second.missing("Unpublished", cases) == cases
    assert sheet(folder=tmp_path / "nothing").rows == []


def test_rows_of_something_else_are_left_out():
    made = sheet(row(form_digest="a float32"), row(batch=4), row(backend="openvino", form_digest="b"), row("Unknown"))
    made.drop_outdated("Tiny", lambda case: f"a {case.precision}")
    assert made.rows == [row(form_digest="a float32"), row("Unknown")]
    assert made.missing("Tiny", [LatencyCase("paddle", "float32", batch) for batch in (1, 4)]) == [
        LatencyCase("paddle", "float32", 4)
    ]


def test_rows_of_before_are_of_nothing_that_is_known(tmp_path):
    sheet(row(), folder=tmp_path)
    file = tmp_path / "latency.json"
    before = json.loads(file.read_text())
    del before["rows"][0]["form_digest"]  # as it was written once
    file.write_text(json.dumps(before))
    assert sheet(folder=tmp_path).rows == [row(form_digest="")]


def test_rows_of_another_machine_are_not_mixed_in(tmp_path):
    sheet(row(), folder=tmp_path)
    with pytest.raises(UserError) as caught:
        sheet(heading={**HEADING, "device": "gpu"}, folder=tmp_path)
    file = tmp_path / "latency.json"
    assert str(caught.value) == says(f"{file} was measured with device 'cpu', ... 'gpu'; give another --output")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"heading": {}, "rows": [{"model": "DLA34"}]}', '{"heading": 1, "rows": []}']
)
def test_a_file_of_others_is_left_alone(tmp_path, text):
    (tmp_path / "latency.json").write_text(text)
    with pytest.raises(UserError, match=r"was not written by `ppcls benchmark latency`; give another --output"):
        sheet(folder=tmp_path)
    assert (tmp_path / "latency.json").read_text() == text


def test_what_is_drawn(tmp_path):
    rows = [row(), row(batch=8, milliseconds=10.0), row("Unpublished"), row("Unpublished", 8, 30.0), row("Unknown")]
    rows += [row("Unknown", 8), row(backend="trt", reason="no"), row(backend="openvino")]  # not at every batch
    made = sheet(*rows)
    by_size, accuracies = plot_data(made, "paddle", "float32")
    assert by_size == {
        "trainable parameters (M)": [Point("Tiny", 1.25, [2.0, 10.0]), Point("Unpublished", 2.5, [2.0, 30.0])],
        "FLOPs = 2 x MACs (G)": [Point("Tiny", 0.5, [2.0, 10.0]), Point("Unpublished", 1.5, [2.0, 30.0])],
    }
    assert accuracies == [AccuracyPoint("Tiny", 2.0, 60.1)]
    (file,) = write_plots(made, tmp_path, "a machine")
    assert file == tmp_path / "latency_paddle_float32.png"
    with Image.open(file) as picture:
        assert (picture.format, picture.size) == ("PNG", (800, 1000))


def test_cells():
    assert spread(31.204, 30.9, 33.0) == "31.20 (30.90 to 33.00)"
    assert [short(value) for value in (None, 1.3, 0.81378, 20.0)] == [None, "1.3", "0.81378", "20"]
    assert markdown(["a", "b"], [[None, "x|y"]]) == "| a | b |\n| --- | --- |\n|  | x\\|y |\n"
    assert csv_text(["a", "b"], [[None, "x|y, z"]]) == 'a,b\n,"x|y, z"\n'


def test_the_machine(monkeypatch, tmp_path):
    found = machine.this_machine("cpu")
    assert {"Python", "ppcls", "paddlepaddle"} <= set(found.versions)
    assert (found.cores >= 1, found.driver.startswith("Linux")) == (True, True)
    said = machine.MachineInfo("AMD EPYC", 2, "Linux 6.1", {"Python": "3.11.7", "ppcls": "0.1.0"})
    assert str(said) == "AMD EPYC, 2 CPU cores, Linux 6.1; Python 3.11.7, ppcls 0.1.0"
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        '#!/bin/sh\n[ "$1" = --query-gpu=name,driver_version ] && echo "NVIDIA H100 80GB HBM3, 550.54.15"\n'
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.this_machine("gpu").device == "NVIDIA H100 80GB HBM3"
    assert machine.this_machine("gpu").driver == "driver 550.54.15"
    tool.unlink()
    assert machine.this_machine("gpu").device == "no GPU that nvidia-smi shows"


def test_the_versions_of_an_engine(monkeypatch):
    installed = {"paddlepaddle-gpu": "3.3.1", "tensorrt": "10.5", "openvino": "2025.4"}
    monkeypatch.setattr(machine, "_version", installed.get)
    assert [machine.engine_versions(name) for name in BACKENDS] == [
        "paddlepaddle-gpu 3.3.1", "paddlepaddle-gpu 3.3.1", "", "openvino 2025.4",
        "paddlepaddle-gpu 3.3.1, tensorrt 10.5",
    ]  # fmt: skip


def test_a_busy_machine_is_said():
    assert machine.busy(2, 0.5) is None
    assert machine.busy(2, 0.6) == says(
        "0.6 threads of other programs ... 2 cores in the last minute: ...; measure again ... quiet"
    )
    assert machine.running_threads() >= 0
