"""Trainings that are killed again and again end bit for bit where the undisturbed ones end."""

import os
import random
import signal

import pytest

from helpers.killing import PLACES, kill_and_resume
from helpers.launching import finish, launch
from helpers.tiny_run import ends_alike, leave_the_same, prepare, use_tiny
from ppcls.engine import checkpoint, processes
from ppcls.engine.precision import Precision

pytestmark = pytest.mark.chaos

SEED, KILLS_OF_TWO = 20, 10
STEPS = 12  # of a process in a run of four epochs, at most
RUN = "SqueezeNet1_1"


@pytest.mark.parametrize("workers", [0, 2])
def test_one_process(tmp_path, workers):
    report = kill_and_resume(tmp_path, 3 * PLACES, workers, SEED)
    for number in range(1, report["runs"] + 1):
        ends_alike(tmp_path / "whole", tmp_path / f"broken_{number}")


def job(folder, name):
    """A training by two processes, resumed where there is a checkpoint; its exit code and the processes' logs."""
    words = ["-c", str(folder / "config_0.yaml"), "-o", f"Global.output_dir={folder / name}"]
    words += ["-o", "Global.save_interval_steps=1", "-o", "Global.update_freq=1"]
    run = folder / name / RUN
    if run.is_dir() and any((path / checkpoint.STATES).is_file() for path in run.iterdir()):
        words += ["-o", f"Global.checkpoints={run}"]
    code, output = finish(launch(folder, f"{name}_log", 2, "tools/train.py", *words))
    logs = [(folder / f"{name}_log" / f"workerlog.{rank}").read_text() for rank in range(2)]
    return code, [output, *logs]


def dies_at(patch, victim, calls):
    """Has the process of a rank killed in a step, before or after its gradients are known."""
    seen = []
    backward, step = Precision.backward, Precision.step

    def counted(function):
        def wrapper(*arguments):
            seen.append(function)
            if processes.rank() == victim and len(seen) == calls:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments)

        return wrapper

    patch.setattr(Precision, "backward", counted(backward))
    patch.setattr(Precision, "step", counted(step))


def test_two_processes(tmp_path, monkeypatch):
    """Either process is killed, in any step; the job is started again until it comes to its end."""
    use_tiny(monkeypatch.setattr)
    prepare(tmp_path, 0)
    code, logs = job(tmp_path, "whole")
    assert code == 0, logs
    draw, kills, runs = random.Random(SEED), 0, 0
    while kills < KILLS_OF_TWO:
        runs += 1
        name = f"broken_{runs}"
        while True:
            with monkeypatch.context() as patch:
                if kills < KILLS_OF_TWO:
                    dies_at(patch, draw.randrange(2), draw.randint(1, STEPS))
                code, logs = job(tmp_path, name)
            if code == 0:
                break
            kills += 1
            assert "Traceback" not in "".join(logs[1:]), logs
        leave_the_same(tmp_path / "whole", tmp_path / name)
    states = checkpoint.read(tmp_path / "whole" / RUN).states
    assert (states["epoch"], states["processes"]) == (4, 2)
