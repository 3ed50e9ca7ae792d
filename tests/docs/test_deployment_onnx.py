"""The commands of docs/deployment/onnx.md are those that exist; tests/extras/test_engines_documents.py runs them."""

import shlex

import test_documents as documents

from ppcls.cli import parse_arguments
from ppcls.inference.settings import OFFERED

PAGE = documents.ROOT / "docs" / "deployment" / "onnx.md"


def test_the_commands_exist():
    lines = [line for line in documents.commands(PAGE) if line.startswith("ppcls ")]
    assert [line.split()[1] for line in lines] == ["export", "onnx", "predict", "predict", "predict"]
    for line in lines:
        parse_arguments(shlex.split(line)[1:])


def test_the_table_of_precisions_is_up_to_date():
    rows = [
        f"| `{backend}` | {device.upper()} | {', '.join(f'`{precision}`' for precision in precisions)} |"
        for backend, devices in OFFERED.items()
        for device, precisions in devices.items()
    ]
    assert "\n".join(rows) in PAGE.read_text(encoding="utf-8")
