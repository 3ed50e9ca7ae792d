"""`ppcls eval` between two batches: asked to stop, it says so; where another process has died, it says that."""

import os
import signal

import pytest

from helpers.messages import says
from helpers.tiny_run import prepare, use_tiny
from ppcls.cli import main
from ppcls.engine import processes
from ppcls.engine.evaluator import Evaluator

GONE = 2**22 + 1  # above the largest number of a process


@pytest.fixture
def evaluate(tmp_path, monkeypatch):
    """Evaluates 20 pictures one by one; SIGTERM comes while the second is looked at. Exit code and pictures seen."""
    prepare(tmp_path, 0)
    use_tiny(monkeypatch.setattr)
    config = ["-c", str(tmp_path / "config_0.yaml")]
    assert main(["train", *config, "-o", "Global.epochs=1", "-o", "Global.eval_during_train=false"]) == 0

    def run(*words, signalled=lambda: None):
        seen, take = [], Evaluator._take

        def noted(self, model, batch, averages):
            take(self, model, batch, averages)
            seen.append(len(batch.index))
            if len(seen) == 2:
                signalled()
                os.kill(os.getpid(), signal.SIGTERM)

        monkeypatch.setattr(Evaluator, "_take", noted)
        weights = f"Global.pretrained_model={tmp_path / 'SqueezeNet1_1' / 'latest'}"
        overrides = ["-o", weights, "-o", "DataLoader.Eval.sampler.batch_size=1"]
        return main(["eval", *config, *overrides, *words]), seen

    return run


def test_a_signal_ends_it_without_a_result(evaluate, tmp_path, capsys):
    rows = tmp_path / "rows.csv"
    assert evaluate("--output", str(rows)) == (143, [1, 1])
    captured = capsys.readouterr()
    assert "WARNING: stopped by SIGTERM before the last picture, so there is no result\n" in captured.out
    assert "END epoch:0   valid" not in captured.out
    assert not rows.exists()
    assert len((tmp_path / "rows.csv.part").read_text().splitlines()) == 3


def test_the_launchers_signal_for_a_process_that_died_names_that_one(evaluate, tmp_path, capsys, monkeypatch):
    """The launcher ends the others of a job as soon as it notices, which may be before their next collective."""
    log = tmp_path / "workerlog.1"
    log.write_text("its last words\n")

    def dies():
        here = processes.socket.gethostname()
        monkeypatch.setattr(processes, "_PEERS", [(here, os.getpid(), ""), (here, GONE, str(log))])
        monkeypatch.setattr(processes, "world_size", lambda: 2)

    assert evaluate(signalled=dies) == (2, [1, 1])
    captured = capsys.readouterr()
    assert captured.err == says(
        f"process 1 of 2 has ended, ... look into its log ({log}), ... -o Global.checkpoints=RUN\n  its last words\n"
    )
    assert "stopped by" not in captured.out
