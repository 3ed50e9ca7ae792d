"""Runs Python in a new process, for what the tests' own process cannot show: a fresh import, its variables, its end.

A new process costs seconds once it loads Paddle. `in_process` and `forks` run scripts and commands without that.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from helpers.checkout import ROOT
from helpers.in_process import Ran

_LIST = "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"


def with_checkout(**variables: str) -> dict[str, str]:
    """The environment of this process, in which Python finds this checkout, and more variables."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **variables}


def new_python(*words: object, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> Ran:
    """Runs `python words`.

    Args:
        words: a script and its arguments, or options such as `-m ppcls` or `-c CODE`.
        folder: the current one of the process, of this process if None.
        environment: all of its variables; those of `with_checkout` if None.
    """
    command = [sys.executable, *map(str, words)]
    variables = with_checkout() if environment is None else environment
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


def output_of(*words: object, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Runs `python words`, which must end well, and returns what it prints."""
    ran = new_python(*words, folder=folder, environment=environment)
    assert ran.code == 0, ran.out + ran.err
    return ran.out


def modules_loaded_by(statements: str) -> set[str]:
    """Names of all modules that a new process has loaded after some statements."""
    return set(json.loads(output_of("-c", statements + _LIST).splitlines()[-1]))
