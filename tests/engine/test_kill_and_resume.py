"""A run that is killed anywhere, again and again, ends bit for bit where the undisturbed one ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_run import ends_alike, values

from ppcls.engine import checkpoint

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).with_name("kill_driver.py")
PLACES = 13


def kill_and_resume(folder, kills, workers, seed):
    """What the driver tells of its kills."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(DRIVER), str(folder), str(kills), str(workers), str(seed)]
    done = subprocess.run(command, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    told = json.loads((folder / "kills.json").read_text())
    assert len(told["kills"]) == kills
    assert len({place for _, place, _ in told["kills"]}) == PLACES
    return told


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A folder whose runs were killed twice at each place."""
    folder = tmp_path_factory.mktemp("killed")
    return folder, kill_and_resume(folder, 2 * PLACES, workers=0, seed=1)


@pytest.mark.slow
def test_a_run_killed_anywhere_ends_as_the_undisturbed_one(killed):
    folder, told = killed
    for number in range(1, told["runs"] + 1):
        ends_alike(folder / "whole", folder / f"broken_{number}")


@pytest.mark.slow
def test_with_workers_too(tmp_path):
    told = kill_and_resume(tmp_path, PLACES, workers=2, seed=1)
    for number in range(1, told["runs"] + 1):
        ends_alike(tmp_path / "whole", tmp_path / f"broken_{number}")


@pytest.mark.long
@pytest.mark.parametrize("workers", [0, 2])
def test_hundreds_of_kills(tmp_path, workers):
    told = kill_and_resume(tmp_path, 200, workers, seed=2)
    for number in range(1, told["runs"] + 1):
        ends_alike(tmp_path / "whole", tmp_path / f"broken_{number}")
    print(f"200 kills of {told['runs']} runs with {workers} workers in {told['seconds']:.0f} s")


@pytest.mark.slow
def test_the_undisturbed_run_has_something_to_lose(killed):
    """Its best is not of the first epoch, nor of the last; a single other bit of the log is seen."""
    folder, _ = killed
    states = checkpoint.read(folder / "whole" / "SqueezeNet1_1" / "latest").states
    assert states["best"]["epoch"] == 1
    assert states["average_steps"] == 16
    assert len(values(folder / "whole")) == 4 * 7 + 4
    altered = folder / "broken_1" / "values.txt"
    text = altered.read_text()
    try:
        altered.write_text(text.replace("0x1.", "0x1.0", 1))
        with pytest.raises(AssertionError):
            ends_alike(folder / "whole", folder / "broken_1")
    finally:
        altered.write_text(text)
