"""Runs that are killed and resumed until enough were killed; see kill_driver.py."""

import json

from helpers import kill_driver
from helpers.forking import LONG, in_fork

PLACES = len(kill_driver.PLACES) + 1


def kill_and_resume(folder, kills, workers, seed):
    """What the driver reports of its kills."""
    in_fork(lambda: kill_driver.run(folder, kills, workers, seed), LONG + 10 * kills)
    report = json.loads((folder / "kills.json").read_text())
    assert len(report["kills"]) == kills
    assert len({place for _, place, _ in report["kills"]}) == min(kills, PLACES)
    return report
