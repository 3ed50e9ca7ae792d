"""The commands of docs/deployment/benchmark.md, in their order, with a call of each kind."""

import json
import re

import pytest
import test_documents as documents

PAGE = documents.ROOT / "docs" / "deployment" / "benchmark.md"
QUICK = ["--rounds", "1", "--settle", "0", "--span", "0"]
ELSEWHERE = ("ppcls benchmark accuracy", "ppcls verify", "ppcls npz")  # tests/benchmark/test_benchmark_document.py
sandbox = documents.sandbox


def commands():
    return [line for line in documents.commands(PAGE) if not line.startswith(ELSEWHERE)]


def test_the_commands_are_found():
    assert [line.split()[1:3] for line in commands()] == [
        ["export", "-c"], *[["benchmark", "backends"]] * 4, *[["benchmark", "latency"]] * 2,
    ]  # fmt: skip


@pytest.mark.slow
def test_from_an_export_to_a_chosen_engine_and_tables(sandbox):
    said = [
        documents.run_command(line if "export" in line else f"{line} {' '.join(QUICK)}", sandbox) for line in commands()
    ]
    assert said[1].splitlines()[-1].startswith("--dry-run: inference/inference.yml is unchanged (settings: none); ")
    for text in said[2:4]:
        assert text.splitlines()[-1].startswith("written to inference/inference.yml: ")
    assert ["batch 8 (ms)" in text for text in said[1:4]] == [True, True, False]
    assert said[4].startswith("inference/inference.yml: settings removed (they were: ")
    rows = json.loads((sandbox / "latency" / "latency.json").read_text())["rows"]
    assert [(row["model"], row["batch"]) for row in rows if row["backend"] == "paddle"] == [
        (model, batch) for model in ("DLA46_c", "DLA46x_c") for batch in (1, 4, 8)
    ]
    assert re.search(r"\nSqueezeNet1_1 +\d+\.\d+ \(", said[6])
