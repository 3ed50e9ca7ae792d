"""Runs that are killed and resumed until enough were killed; see kill_driver.py."""

import json
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
DRIVER = Path(__file__).with_name("kill_driver.py")
PLACES = 13


def kill_and_resume(folder, kills, workers, seed):
    """What the driver reports of its kills."""
    environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}"}
    command = [sys.executable, str(DRIVER), str(folder), str(kills), str(workers), str(seed)]
    done = subprocess.run(command, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "kills.json").read_text())
    assert len(report["kills"]) == kills
    assert len({place for _, place, _ in report["kills"]}) == PLACES
    return report
