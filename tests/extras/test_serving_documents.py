"""What docs/deployment/serving.md shows is run, against a server of the tiny bundle."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from serving_process import Serving

from helpers.checkout import ROOT
from helpers.new_process import new_python
from ppcls.cli import parse_arguments

TEXT = (ROOT / "docs" / "deployment" / "serving.md").read_text(encoding="utf-8")


def lines(command: str) -> list[str]:
    """The lines of the page's shell blocks that begin with a command."""
    blocks = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith(f"{command} ")]


@pytest.fixture(scope="module")
def serving(exported: Path) -> Iterator[Serving]:
    with Serving(f"flowers={exported}") as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(5).integers(0, 256, (60, 50, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "cat.jpg"), pixels)
    return tmp_path


@pytest.mark.parametrize("line", lines("ppcls"))
def test_servers_can_be_started_so(line: str) -> None:
    arguments = parse_arguments(shlex.split(line, comments=True)[1:])
    assert arguments.run.__module__ == "ppcls.cli.serve"


def test_curl(serving: Serving, folder: Path) -> None:
    (line,) = lines("curl")
    words = shlex.split(line.replace("http://127.0.0.1:8080", serving.address))
    done = subprocess.run([words[0], "-s", *words[1:]], cwd=folder, capture_output=True, check=True)
    (shown,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    answer = json.loads(done.stdout)
    assert list(answer) == list(json.loads(shown))
    assert len(answer["names"]) == 3


def test_the_python_example(serving: Serving, folder: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    ran = new_python("-c", block.replace("127.0.0.1:8080", serving.host), folder=folder)
    assert ran.code == 0, ran.err
    _, answer, _ = serving.ask("/v2/models/flowers/classify?topk=3", (folder / "cat.jpg").read_bytes())
    assert answer["names"][0] in ran.out


def test_metrics_and_options_of_the_tables_exist(serving: Serving, folder: Path) -> None:
    serving.ask("/v2/models/flowers/classify", (folder / "cat.jpg").read_bytes())
    shown = set(re.findall(r"`(ppcls_\w+)`", TEXT))
    found = set(re.findall(r"^# TYPE (ppcls_\w+?)(?:_total)? ", serving.ask("/metrics")[1], re.MULTILINE))
    assert {name.removesuffix("_total") for name in shown} <= found
    assert len(shown) == 8
