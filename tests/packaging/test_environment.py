"""The sentences of tools/environment.sh, with a machine's faults played by stand-ins on the PATH."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools" / "environment.sh"
# A Python whose version, modules and libraries are as the test says.
STAND_IN = """#!{bash}
case "$*" in
    --version) echo "Python {version}" ;;
    *version_info\\[:2\\]\\ \\<*) exit {unsupported} ;;
    *ensurepip*) exit {without_venv} ;;
    *python%d*) echo "python{version}-venv" ;;
    "-m venv"*) mkdir -p "${{@: -1}}/bin"; cp "$0" "${{@: -1}}/bin/python" ;;
    *libgomp*) exit {without_libgomp} ;;
    "-m pip"*) echo "$*" >> pip.log; exit {pip_fails} ;;
    *) echo "unexpected: $*" >&2; exit 99 ;;
esac
"""


@pytest.fixture
def machine(tmp_path):
    """A folder with two requirement files, where only the system's tools and stand-ins are on the PATH."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "requirements.txt").write_text("one\n")
    (tmp_path / "requirements-dev.txt").write_text("two\n")
    for tool in ("cat", "cksum", "cut", "tr", "touch", "mkdir", "cp", "uname"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    return tmp_path


def python(machine, name="python3", version="3.11", **faults):
    defaults = {"unsupported": 0, "without_venv": 0, "without_libgomp": 0, "pip_fails": 0}
    path = machine / "bin" / name
    path.write_text(STAND_IN.format(bash=shutil.which("bash"), version=version, **{**defaults, **faults}))
    path.chmod(0o755)


def environment(machine, *files, **variables):
    command = [shutil.which("bash"), SCRIPT, ".venv", *(files or ["requirements.txt"])]
    result = subprocess.run(
        command, cwd=machine, env={"PATH": str(machine / "bin"), **variables}, text=True, capture_output=True
    )
    return result.returncode, result.stdout, result.stderr


def pip_calls(machine):
    log = machine / "pip.log"
    return log.read_text().splitlines() if log.exists() else []


def test_installs_once_for_each_content(machine):
    python(machine)
    first = environment(machine)
    assert first == (
        0,
        "making .venv with Python 3.11\ninstalling requirements.txt into .venv; the first time takes some minutes\n",
        "",
    )
    assert environment(machine) == (0, "", "")
    assert environment(machine, "requirements.txt", "requirements-dev.txt")[0] == 0
    (machine / "requirements.txt").write_text("another\n")
    assert environment(machine)[0] == 0
    pip = "-m pip install --quiet --disable-pip-version-check --requirement=requirements.txt"
    assert pip_calls(machine) == [pip, f"{pip} --requirement=requirements-dev.txt", pip]


def test_an_installation_that_failed_is_tried_again(machine):
    python(machine, pip_fails=1)
    assert environment(machine)[0] == 1
    assert environment(machine)[0] == 1
    assert len(pip_calls(machine)) == 2


def test_an_environment_that_was_left_half_made_is_made_anew(machine):
    python(machine)
    environment(machine)
    (machine / ".venv" / ".made").unlink()
    assert environment(machine)[1].startswith("making .venv with Python 3.11\n")


def test_an_environment_of_another_python_than_the_one_asked_for_is_made_anew(machine):
    python(machine)
    python(machine, "python3.12", version="3.12")
    environment(machine)
    assert environment(machine, PYTHON="python3.12")[1].startswith("making .venv with Python 3.12\n")
    assert environment(machine, PYTHON="python3.12") == (0, "", "")


def test_another_python_of_the_path_is_taken(machine):
    python(machine, version="3.14", unsupported=1)
    python(machine, "python3.10", version="3.10")
    python(machine, "python3.12", version="3.12")
    assert environment(machine)[1].startswith("making .venv with Python 3.12\n")


@pytest.mark.parametrize("variables", [{}, {"PYTHON": "python3"}])
def test_a_python_that_paddle_does_not_run_on(machine, variables):
    python(machine, version="3.14", unsupported=1)
    if variables:  # what the user names is not replaced
        python(machine, "python3.12", version="3.12")
    assert environment(machine, **variables) == (
        1,
        "",
        "python3 is Python 3.14, and Paddle runs on Python 3.9 to 3.13; install one of them, and name it if it is not "
        "on the PATH: make PYTHON=/path/to/python3.12\n",
    )


def test_no_python_at_all(machine):
    code, _, said = environment(machine)
    assert code == 1 and said.startswith("python3 is missing, and Paddle runs on Python 3.9 to 3.13;")


def test_no_venv_module(machine):
    python(machine, without_venv=1)
    wanted = "python3 has no venv module; install it: apt-get install python3.11-venv\n"
    assert environment(machine) == (1, "", wanted)


def test_no_libgomp(machine):
    python(machine, without_libgomp=1)
    code, _, said = environment(machine)
    assert (code, said) == (
        1,
        "the system library libgomp.so.1 is missing, which Paddle needs; install it: apt-get install libgomp1\n",
    )
    assert pip_calls(machine) == []


def test_the_version_check_is_true_of_this_python(machine):
    line = next(line for line in SCRIPT.read_text().splitlines() if "version_info[:2] <=" in line)
    check = line.split("'")[1]
    assert subprocess.run([sys.executable, "-c", check], env=os.environ).returncode == 0
    for version, code in (((3, 8), 1), ((3, 9), 0), ((3, 13), 0), ((3, 14), 1)):
        told = check.replace("sys.version_info[:2]", str(version))
        assert subprocess.run([sys.executable, "-c", told]).returncode == code
