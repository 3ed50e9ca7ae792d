"""The sentences of tools/environment.sh, with a machine's faults played by stand-ins on the PATH."""

import shutil
import subprocess

import pytest

from helpers.checkout import ROOT
from helpers.messages import says
from helpers.new_process import new_python

SCRIPT = ROOT / "tools" / "environment.sh"
PIP = "-m pip install --quiet --disable-pip-version-check"
EAGER = "--upgrade-strategy=eager"
# A Python whose version, modules and libraries are as the test says.
STAND_IN = """#!{bash}
case "$*" in
    --version) echo "Python {version}" ;;
    *version_info\\[:2\\]\\ \\<*) exit $(({minor} < 10 || {minor} > ${{@: -1}})) ;;
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
    (tmp_path / "constraints.txt").write_text("one==1\n")
    for tool in ("cat", "cksum", "cut", "tr", "touch", "mkdir", "cp", "uname"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    return tmp_path


def python(machine, name="python3", version="3.11", **faults):
    defaults = {"without_venv": 0, "without_libgomp": 0, "pip_fails": 0}
    values = {"bash": shutil.which("bash"), "version": version, "minor": version.split(".")[1]}
    path = machine / "bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(STAND_IN.format(**values, **{**defaults, **faults}))
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
    one = f"{PIP} --requirement=requirements.txt"
    assert pip_calls(machine) == [one, f"{one} --requirement=requirements-dev.txt", one]


def test_a_requirement_file_of_another_folder_counts(machine):
    python(machine)
    (machine / "extras").mkdir()
    for content in ("three\n", "four\n", "four\n"):
        (machine / "extras" / "requirements.txt").write_text(content)
        environment(machine, "extras/requirements.txt")
    assert len(pip_calls(machine)) == 2


def test_versions_are_fixed_by_a_file_whose_changes_count(machine):
    python(machine)
    for content in ("one==1\n", "one==2\n", "one==2\n"):
        (machine / "constraints.txt").write_text(content)
        assert environment(machine, "--constraint=constraints.txt", "requirements.txt")[0] == 0
    assert pip_calls(machine) == [f"{PIP} --constraint=constraints.txt {EAGER} --requirement=requirements.txt"] * 2


def test_the_newest_versions_are_looked_for_at_every_call(machine):
    python(machine)
    for _ in range(2):
        assert environment(machine, "--upgrade", "requirements.txt")[0] == 0
    assert pip_calls(machine) == [f"{PIP} --upgrade {EAGER} --requirement=requirements.txt"] * 2


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
    python(machine, version="3.14")
    python(machine, "python3.10", version="3.10")
    python(machine, "python3.12", version="3.12")
    assert environment(machine)[1].startswith("making .venv with Python 3.12\n")


@pytest.mark.parametrize("variables", [{}, {"PYTHON": "python3"}])
def test_a_python_that_paddle_does_not_run_on(machine, variables):
    python(machine, version="3.14")
    if variables:  # what the user names is not replaced
        python(machine, "python3.12", version="3.12")
    assert environment(machine, **variables) == (
        1,
        "",
        says("python3 is Python 3.14, ... Python 3.10 to 3.13; install one ...: make PYTHON=/path/to/python3.12\n"),
    )


def test_pyenv_is_looked_at_last(machine):
    python(machine, version="3.14")
    versions = machine / ".pyenv" / "versions"
    python(machine, "../.pyenv/versions/3.8.18/bin/python3", version="3.8")
    python(machine, "../.pyenv/versions/3.12.1/bin/python3", version="3.12")
    assert environment(machine, HOME=str(machine))[1].startswith("making .venv with Python 3.12\n")
    (machine / ".venv" / ".made").unlink()
    python(machine, "python3.10", version="3.10")
    assert environment(machine, PYENV_ROOT=str(versions.parent))[1].startswith("making .venv with Python 3.10\n")


@pytest.mark.parametrize("variables", [{}, {"PYTHON": "python3"}])
def test_an_environment_for_older_pythons_passes_over_a_newer_one(machine, variables):
    python(machine, version="3.13")
    python(machine, "python3.10", version="3.10")
    wanted = {"NEWEST_PYTHON": "3.12", **variables}
    assert environment(machine, **wanted)[1].startswith("making .venv with Python 3.10\n")
    assert environment(machine, **wanted) == (0, "", "")
    (machine / "bin" / "python3.10").unlink()
    (machine / ".venv" / ".made").unlink()
    code, _, said = environment(machine, **wanted)
    assert code == 1
    assert said.startswith(
        "python3 is Python 3.13, and the Paddle of .venv runs on Python 3.10 to 3.12; install one of"
    )


def test_an_environment_for_older_pythons_takes_the_one_asked_for(machine):
    python(machine, version="3.12")
    python(machine, "python3.10", version="3.10")
    said = environment(machine, NEWEST_PYTHON="3.12", PYTHON="python3.10")[1]
    assert said.startswith("making .venv with Python 3.10\n")


def test_no_python_at_all(machine):
    code, _, said = environment(machine)
    assert code == 1 and said.startswith("python3 is missing, and the Paddle of .venv runs on Python 3.10 to 3.13;")


def test_no_venv_module(machine):
    python(machine, without_venv=1)
    wanted = "python3 has no venv module; install it: apt-get install python3.11-venv\n"
    assert environment(machine) == (1, "", wanted)


def test_no_libgomp(machine):
    python(machine, without_libgomp=1)
    code, _, said = environment(machine)
    assert (code, said) == (
        1,
        says("... libgomp.so.1 is missing, ...: apt-get install libgomp1\n"),
    )
    assert pip_calls(machine) == []


def test_the_version_check_is_true_of_this_python(machine):
    line = next(line for line in SCRIPT.read_text().splitlines() if "version_info[:2] <=" in line)
    check = line.split("'")[1]
    assert new_python("-c", check, "13").code == 0
    for minor, newest, code in ((9, 13, 1), (10, 12, 0), (12, 12, 0), (13, 12, 1), (13, 13, 0), (14, 13, 1)):
        asked = check.replace("sys.version_info[:2]", str((3, minor)))
        assert new_python("-c", asked, newest).code == code
