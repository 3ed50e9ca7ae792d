"""int8 and bfloat16 by `ppcls-classify` against the same engine and precision of `ppcls predict`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from answers import (
    DATA,
    ENGINES,
    answers_of_program,
    answers_of_python,
    largest_difference,
    needs_pictures,
    ppcls,
    refused,
)

INT8 = [engine for engine in ENGINES if engine in ("onnxruntime", "openvino")]
NO_BFLOAT16 = {
    "onnxruntime": "onnxruntime on a CPU does not compute in bfloat16; write precision float32 or int8",
    "paddle": "inference.pdmodel is a program of Paddle 2, which Paddle 3 does not run in bfloat16; write precision "
    "float32, or export again with --format json",
}


@pytest.fixture(scope="module")
def quantized(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle with an int8 form for each engine."""
    bundle = shutil.copytree(model, tmp_path_factory.mktemp("quantized") / "bundle")
    for engine in INT8:
        calibration = ("--calib", f"{DATA}/imagenet_200/val_list.txt")
        ppcls("quantize", bundle, *calibration, "--backend", engine, "--float32-layers", "both")
    return bundle


def compared(program: Path, bundle: Path, folder: Path, *options: str) -> float:
    theirs = answers_of_python(bundle, folder / "python.csv", *options)
    return largest_difference(answers_of_program(program, bundle, folder / "cpp.csv", *options), theirs)


@needs_pictures
@pytest.mark.parametrize("engine", INT8)
def test_int8(classify: Path, quantized: Path, tmp_path: Path, engine: str) -> None:
    difference = compared(classify, quantized, tmp_path, "--backend", engine, "--precision", "int8")
    print(f"{engine} int8: {difference:.1e}")
    assert difference < 1e-4


@needs_pictures
@pytest.mark.parametrize("engine", INT8)
def test_int8_is_another_program(classify: Path, quantized: Path, tmp_path: Path, engine: str) -> None:
    exact, int8 = (
        answers_of_program(
            classify, quantized, tmp_path / f"{precision}.csv", "--backend", engine, "--precision", precision
        )
        for precision in ("float32", "int8")
    )
    assert exact != int8
    assert sum(one["class_id_1"] == other["class_id_1"] for one, other in zip(exact, int8)) >= 180


@needs_pictures
@pytest.mark.skipif(
    "bf16" not in Path("/proc/cpuinfo").read_text(encoding="ascii"), reason="this processor has no bfloat16"
)
@pytest.mark.parametrize("engine", ENGINES)
def test_bfloat16(classify: Path, model: Path, tmp_path: Path, engine: str) -> None:
    chosen = ("--backend", engine, "--precision", "bfloat16")
    if engine in NO_BFLOAT16:
        assert NO_BFLOAT16[engine] in refused(classify, model, "--verify", *chosen)
        return
    difference = compared(classify, model, tmp_path, *chosen)
    print(f"{engine} bfloat16: {difference:.1e}")
    assert difference < 1e-4


@pytest.mark.parametrize("engine", INT8)
def test_a_bundle_without_int8(classify: Path, model: Path, engine: str) -> None:
    sentence = refused(classify, model, "--verify", "--backend", engine, "--precision", "int8")
    remedy = f"run `ppcls quantize {model} --backend {engine} --calib LIST`"
    assert sentence == f"{model} has no int8 form for {engine}; {remedy}"


# Of engines that run on a CPU
@pytest.mark.parametrize("engine", ENGINES)
def test_float16(classify: Path, model: Path, engine: str) -> None:
    sentence = refused(classify, model, "--verify", "--backend", engine, "--precision", "float16")
    assert "float16" in sentence
    assert "write precision float32" in sentence


@needs_pictures
@pytest.mark.skipif("onnxruntime" not in ENGINES, reason="ONNX Runtime is not built")
def test_one_binary_for_several_releases(classify: Path, model: Path, tmp_path: Path) -> None:
    chosen = ("--backend", "onnxruntime")
    theirs = answers_of_python(model, tmp_path / "python.csv", *chosen)
    older = sorted(Path("build").glob("onnxruntime-*/onnxruntime/capi/libonnxruntime.so.*"))
    assert len(older) >= 2, "run `make test-cpp`, which installs them"
    for file in older:
        ours = answers_of_program(classify, model, tmp_path / f"{file.name}.csv", *chosen, "--library", file)
        difference = largest_difference(ours, theirs)
        print(f"{file.name}: {difference:.1e}")
        assert difference < 1e-4, file
    missing = tmp_path / "libonnxruntime.so"  # the option counts, wherever else there is a library
    assert refused(classify, model, "--verify", *chosen, "--library", missing).startswith(f"{missing}: ")
