"""The environment of Python 3.7 in which paddlelite runs.

Of paddlelite, version 2.12 converts the programs of every family and gives their scores. It has builds for Python 3.5
to 3.7 alone. The newer 2.13rc0 and the older 2.10, which have builds for other Pythons, end their process on them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from ppcls.utils.download import cache_home, is_offline
from ppcls.utils.errors import Unavailable, UserError, expect
from ppcls.utils.files import beside, replace_folder, scratch_folder
from ppcls.utils.lock import claimed
from ppcls.utils.logging import get_logger

PADDLELITE = "paddlelite==2.12"
_NUMPY = "numpy==1.21.6"  # the newest for Python 3.7
_IS_3_7 = "import sys, ensurepip, venv; sys.exit(sys.version_info[:2] != (3, 7))"
_IS_READY = f"""
import sys, pkg_resources
pkg_resources.require([{PADDLELITE!r}])
import numpy, paddlelite.lite
sys.exit(sys.version_info[:2] != (3, 7))
"""
_GET_ONE = "install it (`pyenv install 3.7`, or `conda create -n lite python=3.7`), or name one by --python"


def lite_python(given: str | None = None) -> Path:
    """Return the Python of an environment with paddlelite. One is made in the cache unless it is there.

    Args:
        given: A Python 3.7. One that has paddlelite is used as it is; from another one the environment is made.

    Raises:
        Unavailable: There is no Python 3.7, or paddlelite cannot be installed.
        UserError: The given program is not Python 3.7.
    """
    if given is not None:
        if _succeeds(given, _IS_READY):
            return Path(given)
        _require_3_7(given)
    folder = cache_home() / PADDLELITE.replace("==", "-")
    python = folder / "bin" / "python"
    if python.exists() and _succeeds(python, _IS_READY):
        return python
    with claimed(folder, "making an environment in"):
        if not (python.exists() and _succeeds(python, _IS_READY)):
            _make(folder, given)
    return python


def _make(folder: Path, given: str | None) -> None:
    """Make the environment aside, and move it to its place when paddlelite can be imported there."""
    base = given or _find_python()
    expect(
        not is_offline(),
        f"PPCLS_OFFLINE=1 forbids installing {PADDLELITE}; unset it, or name a Python 3.7 that has it by --python",
    )
    get_logger().info(
        "making an environment of Python 3.7 with %s in %s, once; it takes 230 MB", PADDLELITE, folder
    )  # fmt: skip
    with scratch_folder(beside(folder, "new")) as aside:
        _install([base, "-I", "-m", "venv", str(aside)])
        python = str(aside / "bin" / "python")
        pip = [python, "-I", "-m", "pip", "install", "--disable-pip-version-check"]
        _install([*pip, "--no-input", "--only-binary=:all:", PADDLELITE, _NUMPY])
        _install([python, "-I", "-c", _IS_READY])
        replace_folder(aside, folder)


def _install(command: Sequence[str]) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        reason = lines[-1].strip() if lines else f"exit code {done.returncode}"
        raise Unavailable(
            f"{PADDLELITE} cannot be installed into an environment of {command[0]} ({reason}); it has builds for "
            "x86-64 alone, and pip needs a package index that it can reach"
        )


def _require_3_7(given: str) -> None:
    if not _succeeds(given, _IS_3_7):
        raise UserError(
            f"--python {given} is not a Python 3.7 with the modules venv and ensurepip, which {PADDLELITE} needs; "
            "give the path of one"
        )


def _find_python() -> str:
    """A Python 3.7 of this machine.

    Raises:
        Unavailable: There is none.
    """
    for candidate in _candidates():
        if _succeeds(candidate, _IS_3_7):
            return str(candidate)
    raise Unavailable(f"{PADDLELITE} needs Python 3.7, and there is none; {_GET_ONE}")


def _candidates() -> Iterator[str | Path]:
    """Where a Python 3.7 may be: on the PATH, or among those of pyenv, conda and uv."""
    found = shutil.which("python3.7")
    if found is not None:
        yield found
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    yield from sorted(pyenv.glob("versions/3.7.*/bin/python3.7"))
    conda = os.environ.get("CONDA_EXE")
    if conda is not None:
        yield from sorted(Path(conda).parents[1].glob("envs/*/bin/python3.7"))
    uv = Path(
        os.environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python"
    )
    yield from sorted(uv.glob("cpython-3.7.*/bin/python3.7"))


def _succeeds(python: str | Path, program: str) -> bool:
    """Whether a Python runs a program to its end, without this process's variables for Python."""
    try:
        done = subprocess.run(
            [str(python), "-I", "-c", program], capture_output=True, check=False
        )
    except OSError:  # it is not there, or not a program
        return False
    return done.returncode == 0
