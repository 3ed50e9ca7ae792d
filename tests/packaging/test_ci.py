"""`.ci/run` is `make test`, with real pictures where they lie beside the checkout."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("with_pictures", [False, True])
def test_ci_runs_make_test_and_nothing_else(tmp_path, with_pictures):
    (tmp_path / "checkout" / ".ci").mkdir(parents=True)
    script = shutil.copy(ROOT / ".ci" / "run", tmp_path / "checkout" / ".ci" / "run")
    pictures = tmp_path / "shared" / "data"
    if with_pictures:
        pictures.mkdir(parents=True)
    make = tmp_path / "bin" / "make"
    make.parent.mkdir()
    make.write_text('#!/bin/sh\necho "make $*" in "$PWD" with "$PPCLS_TEST_DATA"\nexit 3\n')
    make.chmod(0o755)
    environment = {"PATH": f"{make.parent}:/usr/bin:/bin"}
    result = subprocess.run([shutil.which("bash"), script], cwd="/", env=environment, text=True, capture_output=True)
    wanted = pictures if with_pictures else ""
    assert (result.returncode, result.stderr) == (3, "")
    assert result.stdout == f"make test in {tmp_path / 'checkout'} with {wanted}\n"


def test_make_test_is_lint_types_and_the_core_tests():
    command = ["make", "--dry-run", "--no-print-directory", "test"]
    environment = {"PATH": os.environ["PATH"]}  # without the flags of the make that may be running this
    said = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, check=True).stdout
    assert said.splitlines() == [
        "tools/environment.sh .venv requirements.txt requirements-demo.txt requirements-dev.txt",
        ".venv/bin/python -m ruff check .",
        ".venv/bin/python -m ruff format --check .",
        ".venv/bin/python -m mypy",
        '.venv/bin/python -m pytest -m "not gpu"',
    ]
