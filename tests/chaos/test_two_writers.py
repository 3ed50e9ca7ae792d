"""Two processes that write to one place at once: one of them, or both one after the other; nothing is mixed."""

import json
import os
import shutil
from pathlib import Path

import pytest

from helpers.starving import Command, run_starved
from helpers.tiny_run import enter_own, leave_the_same
from ppcls.inference import Bundle
from ppcls.inference.golden import GOLDEN_PICTURE
from ppcls.inference.settings import Settings

pytestmark = pytest.mark.chaos

ROUNDS = 4


@pytest.fixture
def here(tmp_path, monkeypatch):
    enter_own(tmp_path, monkeypatch)
    return tmp_path


def together(*commands):
    """Runs commands at once; the code and text of each."""
    return [started.finish() for started in [Command(words) for words in commands]]


def test_two_trainings_into_one_folder(here):
    """The second is refused while the first runs; where it came late, the first run is moved aside whole."""
    words = ["train", "-c", "own.yaml", "-o", "Global.output_dir={}"]
    alone = [word.format("alone") for word in words]
    assert run_starved(alone)[0] == 0
    for number in range(ROUNDS):
        place = f"both_{number}"
        results = together(*[[word.format(place) for word in words]] * 2)
        codes = sorted(code for code, _ in results)
        assert codes in ([0, 0], [0, 2]), [text[-2000:] for _, text in results]
        assert "Traceback" not in "".join(text for _, text in results)
        runs = sorted(path.name for path in Path(place).iterdir() if not path.name.startswith("."))
        assert runs == ["SqueezeNet1_1", "SqueezeNet1_1.1"][: codes.count(0)]
        leave_the_same(Path("alone"), Path(place), ("latest", "best_model"))


def test_two_predictions_into_one_file(here, exported):
    Path("pictures").mkdir()
    for number in range(20):
        shutil.copy(GOLDEN_PICTURE, f"pictures/{number}.png")
    words = ["predict", "-o", f"Global.inference_model_dir={exported}", "-o", "Global.infer_imgs=pictures"]
    words += ["-o", "Global.output=scores.json"]
    for _ in range(ROUNDS):
        results = together(words, words)
        assert sorted(code for code, _ in results) in ([0, 0], [0, 2]), results
        assert len(json.loads(Path("scores.json").read_text())) == 20
        assert not Path("scores.json.part").exists()


def test_changes_of_one_bundle_are_not_lost(copy):
    """Three processes change a value each, forty times; the last value of each is there at the end."""
    changes = (
        lambda number: {"architecture": f"Tiny{number}"},
        lambda number: {"settings": Settings(threads=number + 1)},
        lambda number: {"weights_source": f"file {number}"},
    )
    children = []
    for fields in changes:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for number in range(40):
                    Bundle.load(copy).change(**fields(number))
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    for child in children:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    bundle = Bundle.load(copy)
    assert (bundle.architecture, bundle.settings, bundle.weights_source) == ("Tiny39", Settings(threads=40), "file 39")
