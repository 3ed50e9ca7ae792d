"""What docs/deployment/onnx.md shows is run, where the engines are installed."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))  # for test_documents

import test_documents as documents

PAGE = documents.ROOT / "docs" / "deployment" / "onnx.md"
sandbox = documents.sandbox


@pytest.fixture(scope="module")
def said(sandbox: Path) -> list[str]:
    """What each `ppcls` command prints."""
    lines = [line for line in documents.commands(PAGE) if line.startswith("ppcls ")]
    return [documents.run_command(line, sandbox) for line in lines]


def test_the_commands(said: list[str]) -> None:
    assert "inference.onnx: opset 13; through ONNX Runtime its scores differ by " in said[0]
    assert "inference.onnx: opset 11; through ONNX Runtime its scores differ by " in said[1]
    for answers in said[2:]:
        assert [row.split(":")[0] for row in answers.splitlines()] == [f"{index}.png" for index in range(4)]


def test_the_python(said: list[str], sandbox: Path) -> None:
    model = onnx.load(sandbox / "inference" / "inference.onnx")
    softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
    model.graph.output[0].name = softmax.input[0]
    model.graph.node.remove(softmax)
    onnx.save(model, sandbox / "dla34.onnx")
    bundle, other = (documents.run(["-c", code], sandbox) for code in documents.blocks(PAGE, "python"))
    assert len(bundle.splitlines()) == len(other.splitlines()) == 4
