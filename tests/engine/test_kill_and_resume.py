"""A run that is killed anywhere, again and again, ends bit for bit where the undisturbed one ends."""

import pytest

from helpers.killing import PLACES, kill_and_resume
from helpers.tiny_run import ends_alike, values
from ppcls.engine import checkpoint

KILLS_WITH_WORKERS = 4  # what is killed is the main process: `make test-chaos` kills it at every place with workers too


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A folder whose runs were killed at each place; `make test-chaos` kills more."""
    folder = tmp_path_factory.mktemp("killed")
    return folder, kill_and_resume(folder, PLACES, workers=0, seed=1)


@pytest.mark.slow
def test_a_run_killed_anywhere_ends_as_the_undisturbed_one(killed):
    folder, report = killed
    for number in range(1, report["runs"] + 1):
        ends_alike(folder / "whole", folder / f"broken_{number}")


@pytest.mark.slow
def test_with_workers_too(tmp_path):
    report = kill_and_resume(tmp_path, KILLS_WITH_WORKERS, workers=2, seed=1)
    for number in range(1, report["runs"] + 1):
        ends_alike(tmp_path / "whole", tmp_path / f"broken_{number}")


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
