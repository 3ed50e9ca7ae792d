"""A checkout of PaddleClas, named by the variable PADDLECLAS: nothing crashes, and its commands run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.checkout import ROOT

SCRIPT = ROOT / "tools" / "try_paddleclas.py"


@pytest.fixture(scope="module")
def rows():
    sys.path.insert(0, str(SCRIPT.parent))
    import try_paddleclas as script

    checkout = Path(os.environ["PADDLECLAS"])
    return [make(checkout) for make in (script.unmodified, script.swapped, script.deployment, script.command_lists)]


def test_nothing_crashes(rows):
    assert [row.crashed for row in rows] == [{}] * 4


def test_configurations_of_our_models_load_for_every_command(rows):
    assert (rows[0].tried(), rows[0].refused) == (80, {})
    assert rows[3].refused == {}


def test_most_others_load_with_one_of_our_models(rows):
    assert rows[1].tried() == 346
    assert len(rows[1].refused) <= 36


@pytest.mark.parametrize("model", ["SqueezeNet1_1"])
def test_the_commands_of_a_list_run(model):
    done = subprocess.run([sys.executable, SCRIPT, "--run", model], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
