"""Runs `ppcls-classify` and `ppcls predict`, and compares the files that they write."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

DATA = os.environ.get("PPCLS_TEST_DATA")
ENGINES = os.environ.get("PPCLS_CPP_ENGINES", "openvino").split()
TOPK = 5

Rows = list[dict[str, str]]

needs_pictures = pytest.mark.skipif(not DATA, reason="PPCLS_TEST_DATA is not set")


def run(program: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=600, check=False)


def refused(program: Path, *words: object) -> str:
    """The one sentence of a command that is refused."""
    done = run(program, *words)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.strip()


def rows_of(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def ppcls(*words: object) -> None:
    """Runs a command of the Python package, which succeeds."""
    done = run(Path(sys.executable), "-m", "ppcls", *words)
    assert done.returncode == 0, done.stderr[-3000:]


def answers_of_python(bundle: Path, output: Path, *options: str) -> Rows:
    """The rows that `ppcls predict` writes about the 200 pictures."""
    ppcls("predict", bundle, f"{DATA}/imagenet_200", "--output", output, *options)
    return rows_of(output)


def answers_of_program(program: Path, bundle: Path, output: Path, *options: object) -> Rows:
    """The rows that `ppcls-classify` writes about the 200 pictures."""
    done = run(program, bundle, f"{DATA}/imagenet_200", "--output", output, *options)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 200
    return rows_of(output)


def largest_difference(ours: Rows, theirs: Rows) -> float:
    """That of a score, of rows with the same pictures, columns and first classes."""
    assert list(ours[0]) == list(theirs[0])
    for column in ("picture", "class_id_1"):
        assert [row[column] for row in ours] == [row[column] for row in theirs]
    difference = 0.0
    for one, other in zip(ours, theirs):
        for rank in range(1, TOPK + 1):
            if one[f"class_id_{rank}"] == other[f"class_id_{rank}"]:
                difference = max(difference, abs(float(one[f"score_{rank}"]) - float(other[f"score_{rank}"])))
    return difference
