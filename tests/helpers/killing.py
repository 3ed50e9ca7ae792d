"""Runs that are killed and resumed until enough were killed; see kill_driver.py."""

import json
import os
from pathlib import Path

from helpers.checkout import ROOT
from helpers.new_process import output_of, with_checkout

DRIVER = Path(__file__).with_name("kill_driver.py")
PLACES = 13


def kill_and_resume(folder, kills, workers, seed):
    """What the driver reports of its kills."""
    environment = with_checkout(PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    output_of(DRIVER, folder, kills, workers, seed, environment=environment)
    report = json.loads((folder / "kills.json").read_text())
    assert len(report["kills"]) == kills
    assert len({place for _, place, _ in report["kills"]}) == PLACES
    return report
