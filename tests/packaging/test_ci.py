"""`.ci/run` is `make test`, with real pictures where they lie beside the checkout."""

import os
import re
import shutil
import subprocess
from collections import Counter

import pytest

from helpers.checkout import ROOT
from helpers.new_process import new_python


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


def recipe(target):
    """The commands that `make` would run."""
    command = ["make", "--dry-run", "--no-print-directory", target]
    environment = {"PATH": os.environ["PATH"]}  # without the flags of the make that may be running this
    said = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, check=True).stdout
    return said.replace("\\\n\t", "").splitlines()


def test_make_test_is_lint_types_and_the_core_tests():
    assert recipe("test") == [
        "tools/environment.sh .venv --constraint=constraints.txt "
        "requirements.txt requirements-demo.txt requirements-dev.txt",
        ".venv/bin/python -m ruff check .",
        ".venv/bin/python -m ruff format --check .",
        ".venv/bin/python -m mypy",
        f".venv/bin/python {CORE}",
    ]


def test_every_file_of_tests_has_a_name_of_its_own():
    """pytest imports them by their names."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert [name for name, count in Counter(names).items() if count > 1] == []


TESTED = "requirements.txt requirements-demo.txt requirements-dev.txt"
CHOSEN = '"not gpu and not long and not chaos and not fuzz"'
CORE = f"-m pytest -m {CHOSEN} --numprocesses auto --maxprocesses 8 --dist worksteal"


def test_the_core_tests_run_with_the_newest_and_the_oldest_versions_in_environments_of_their_own():
    assert recipe("test-newest") == [
        f"tools/environment.sh .venv-newest --upgrade {TESTED}",
        f".venv-newest/bin/python {CORE} -W default",
    ]
    assert recipe("test-oldest") == [
        f"NEWEST_PYTHON=3.10 tools/environment.sh .venv-oldest --constraint=constraints-oldest.txt {TESTED}",
        f".venv-oldest/bin/python {CORE} -W default --disable-warnings",
    ]


def test_the_oldest_versions_are_those_that_the_requirements_name():
    """A lowest version that is changed without `make constraints` would not be tested."""
    pins = dict(line.split("==") for line in lines_of("constraints-oldest.txt"))
    included = ["requirements-core.txt", *TESTED.split(), "requirements-shards.txt"]
    requirements = [line for name in included for line in lines_of(name)]
    lowest = dict(re.split(">=|==", line) for line in requirements if not line.startswith("-"))
    assert lowest and {name.lower() for name in lowest} <= set(pins)
    for name, version in lowest.items():
        parts = version.split(".")
        assert pins[name.lower()].split(".")[: len(parts)] == parts, f"{name}: run make constraints"


def lines_of(name):
    """The lines of a requirements file, without comments and what follows a semicolon."""
    lines = (re.split("[#;]", line)[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return [line.replace(" ", "") for line in lines if line]


def test_make_test_extras_runs_every_file_of_extras():
    lines = recipe("test-extras")
    named = [word for line in lines if "-m pytest" in line for word in line.split() if word.startswith("tests/extras/")]
    assert sorted(named) == sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("tests/extras/test_*.py"))
    for number, line in enumerate(lines):
        if line.startswith(".venv"):
            assert any(f"environment.sh {line.split('/')[0]} " in earlier for earlier in lines[:number]), line


def test_make_test_leaves_extras_alone():
    words = ["--collect-only", "-q", "tests/extras", "-p", "no:cacheprovider"]
    ran = new_python("-m", "pytest", *words, folder=ROOT, environment=os.environ)
    assert (ran.code, ran.out.splitlines()[-1].split(" in ")[0]) == (5, "no tests collected")
