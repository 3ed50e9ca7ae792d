"""Every command ends with one sentence, whatever it is short of and whenever; what was there is there still."""

import random
import shutil
from pathlib import Path

import pytest

from helpers.starving import assert_one_sentence, descriptors, file_size, memory, run_starved
from helpers.tiny_run import enter_own
from ppcls.engine import checkpoint
from ppcls.inference import Classifier
from ppcls.inference.golden import GOLDEN_PICTURE

pytestmark = pytest.mark.chaos

TRAIN = ["train", "-c", "own.yaml", "-o", "Global.save_interval_steps=1"]
WEIGHTS = ["-c", "own.yaml", "-o", "Global.pretrained_model=kept/SqueezeNet1_1/latest"]
ENDED_BY_LIBC = 127  # glibc ends a process that has no memory for a new thread's variables
COMMANDS = {
    "train": TRAIN,
    "resume": [*TRAIN, "-o", "Global.epochs=2", "-o", "Global.checkpoints=output/SqueezeNet1_1"],
    "workers": [*TRAIN, "-o", "DataLoader.Train.loader.num_workers=2"],
    "eval": ["eval", *WEIGHTS, "--output", "rows.csv"],
    "infer": ["infer", *WEIGHTS, "-o", "Infer.infer_imgs=pictures", "--output", "rows.json"],
    "export": ["export", *WEIGHTS, "-o", "Global.save_inference_dir=inference"],
    "predict": [
        "predict", "-o", "Global.inference_model_dir=bundle", "-o", "Global.infer_imgs=pictures",
        "-o", "Global.output=scores.csv", "-o", "Global.backend=paddle",
    ],
}  # fmt: skip


@pytest.fixture
def command(exported, tmp_path, monkeypatch):
    """The words of a command, in a folder that has what it needs."""
    enter_own(tmp_path, monkeypatch)
    shutil.copytree(exported, "bundle")
    Path("pictures").mkdir()
    for number in range(20):
        shutil.copy(GOLDEN_PICTURE, f"pictures/{number}.png")
    code, text = run_starved(TRAIN)
    assert code == 0, text
    shutil.copytree("output", "kept")
    return COMMANDS.__getitem__


def check(command, name, limits):
    """Runs a command with each limit, of which the last one is none; the codes of those that were too tight."""
    codes = []
    for limit in limits:
        if name in ("train", "workers", "resume"):
            shutil.rmtree("output", ignore_errors=True)
        if name == "resume":
            shutil.copytree("kept", "output")
        code, text = run_starved(command(name), limit)
        assert_one_sentence(code, text)
        codes.append(code)
        if name == "resume":
            assert checkpoint.read(Path("output/SqueezeNet1_1")).states["epoch"] >= 1
        if name == "export" and Path("inference").exists():
            assert Classifier("inference").verify()
    assert codes[-1] == 0, text
    return set(codes) - {0}


@pytest.mark.parametrize("name", COMMANDS)
def test_descriptors(command, name):
    assert check(command, name, [descriptors(more) for more in (0, 1, 3, 6, 12, 500)])


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "workers"])
def test_a_full_disk(command, name):
    sizes = sorted(random.Random(name).sample(range(1, 12_000), 5))
    assert check(command, name, [file_size(size) for size in (*sizes, 1 << 30)])


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "workers"])
def test_memory(command, name):
    """How much is too little depends on what the tests' process has left over.

    With less than some megabytes Python itself waits for ever for a thread whose start fails.
    """
    check(command, name, [memory(megabytes) for megabytes in (5, 20, 60, 10_000)])


def test_memory_of_workers(command):
    """It never hangs; `multiprocessing` may print a traceback of a thread before the sentence comes."""
    codes = set()
    for megabytes in (*range(50, 350, 6), 10_000):
        shutil.rmtree("output", ignore_errors=True)
        code, text = run_starved(command("workers"), memory(megabytes))
        if code == ENDED_BY_LIBC:
            assert "cannot allocate memory" in text
        else:
            assert code in (0, 1, 2), (megabytes, code, text[-2000:])
        if code == 2:
            assert "; " in text.splitlines()[-1], text[-2000:]
        codes.add(code)
    assert code == 0 and 2 in codes
