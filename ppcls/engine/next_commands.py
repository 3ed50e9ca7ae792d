"""The commands that a user runs after a training."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from ppcls.config import Config
from ppcls.engine import processes
from ppcls.utils import user_code

_TOOLS = {"eval": "eval.py", "export": "export_model.py"}


def print_next(config: Config, file: Path) -> None:
    """Print the commands that evaluate and export what has been trained, ready to be pasted."""
    reader = config.DataLoader.Eval
    if reader is None or not processes.is_first():
        return
    commands = ["eval", "export"] if config.Metric.Eval else ["export"]
    print("\nNext:", flush=True)
    words = f"-c {shlex.quote(str(file))}"
    for own in user_code.files():
        words += f" --import {shlex.quote(str(own))}"
    for command in commands:
        print(f"  {_started_by(command)} {words}", flush=True)


def _started_by(command: str) -> str:
    """Format the start of another command: a program of the checkout, or the package's command."""
    python, tool = shlex.quote(sys.executable), Path(sys.argv[0])
    tool = tool.with_name(_TOOLS[command])
    # From another folder `-m ppcls` would not be found
    if tool.parent.name == "tools" and tool.is_file():
        return f"{python} {shlex.quote(str(tool))}"
    if shutil.which("ppcls"):
        return f"ppcls {command}"
    return f"{python} -m ppcls {command}"
