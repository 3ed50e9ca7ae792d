"""What the processes of a run agree on, and what only one process may do."""

import json
import os

import numpy as np
import pytest

from helpers.launching import finish, launch
from helpers.messages import says
from ppcls.cli import main
from ppcls.engine import processes
from ppcls.engine.callbacks.console import ConsoleLog
from ppcls.engine.signals import StoppedBySignal
from ppcls.engine.trainer import Callback
from ppcls.utils.errors import UserError
from ppcls.utils.logging import setup_logging


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What each of two processes observes, see parallel_worker.py."""
    folder = tmp_path_factory.mktemp("processes")
    code, output = finish(launch(folder, "log", 2, "tests/engine/parallel_worker.py", str(folder)))
    assert code != 0, output  # process 1 dies in the end
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.slow
def test_both_know_the_same(answers):
    for answer in answers:
        assert answer["world_size"] == 2
        assert answer["total"] == [3.0, 2.0**41 + 1]
        assert answer["gathered"] == [{"rank": 0}, {"rank": 1}]
        assert answer["merged"] == {"0.png": "truncated", "1.png": "truncated", "both.png": "empty"}
        assert answer["summary"] == {"top1": 0.5, "loss": 2.0}
        assert answer["statistics"] == [0, 0]  # all evaluate with the first one's
        assert answer["first_weight"] == answers[0]["first_weight"]
    assert [answer["own_count"] for answer in answers] == [2, 0]


@pytest.mark.slow
def test_gradients_are_summed_and_a_process_without_any_adds_nothing(answers):
    first, second = answers
    assert second["own_gradients"] == [None] * 4
    assert first["gradients"] == second["gradients"]
    assert first["gradients"][3] is first["own_gradients"][3] is None  # frozen
    for own, both in zip(first["own_gradients"][:3], first["gradients"]):
        np.testing.assert_array_equal(np.array(both), 0.5 * np.array(own))


@pytest.mark.slow
def test_dropout_differs_between_processes(answers):
    masks = [answer["mask"] for answer in answers]
    assert set(masks[0]) == set(masks[1]) == {0.0, 2.0}
    assert masks[0] != masks[1]


def test_the_trainer_draws_by_process(make_trainer, monkeypatch):
    weights = []
    for rank in (0, 1, 1):
        monkeypatch.setattr(processes, "rank", lambda rank=rank: rank)
        trainer = make_trainer(epochs=1)
        trainer.fit()
        weights.append(trainer.model[2].weight.numpy())
    assert not np.array_equal(weights[0], weights[1])
    np.testing.assert_array_equal(weights[1], weights[2])


@pytest.mark.slow
def test_the_death_of_a_process_is_told_with_its_last_words(answers):
    assert "said" not in answers[1]
    head, _, last = answers[0]["said"].partition("\n")
    assert head.startswith("process 1 of 2 has ended, so this one ends too; look into its log (/")
    assert head.endswith("/log/workerlog.1), then start again, a training with -o Global.checkpoints=RUN")
    assert last.splitlines()[-1] == "  these are my last words"


def test_one_process_needs_no_others():
    assert (processes.rank(), processes.world_size(), processes.is_first()) == (0, 1, True)
    assert processes.gather("x") == ["x"]
    assert processes.total([1, 2.5]) == [1, 2.5]
    assert processes.merged({"a": "b"}) == {"a": "b"}
    with pytest.raises(RuntimeError, match="of another kind"), processes.peer_failures_reported():
        raise RuntimeError("of another kind")


def test_a_dead_process_of_this_machine_is_found_and_one_elsewhere_is_not(monkeypatch, tmp_path):
    log = tmp_path / "workerlog.1"
    log.write_text("".join(f"line {number}\n" for number in range(20)))
    here, gone = processes.socket.gethostname(), 2**22 + 1  # above the largest number of a process
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "3")
    monkeypatch.setattr(processes, "_PEERS", [(here, os.getpid(), ""), ("elsewhere", gone, ""), (here, gone, str(log))])
    with pytest.raises(UserError) as error, processes.peer_failures_reported():
        raise RuntimeError("connection closed")
    assert str(error.value).splitlines()[1:] == [f"  line {number}" for number in range(10, 20)]
    assert str(error.value).startswith("process 2 of 3 has ended")
    log.unlink()  # a log of another machine that has the same name
    message = rf"^process 2 of 3 .*\({log}\), then start again, a training with .*=RUN$"
    with pytest.raises(UserError, match=message), processes.peer_failures_reported():
        raise RuntimeError("connection closed")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["infer", "-c", "DLA46_c", "-o", "Infer.infer_imgs=docs"], ""),
        (["export", "-c", "DLA46_c", "--untrained"], ""),
        (["predict", "-c", "inference_cls"], ""),
        (["eval", "-c", "config.yaml", "--output", "rows.csv"],
         "--output ... one process; start the evaluation without the launcher"),
    ],
)  # fmt: skip
def test_what_one_process_does_is_refused_to_several(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.png").touch()
    (tmp_path / "list.txt").write_text("docs/a.png 0\n")
    data = "{Eval: {dataset: {image_root: ., cls_label_path: list.txt}}}"
    (tmp_path / "config.yaml").write_text(f"base: DLA46_c\nDataLoader: {data}\n")
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    assert main(words) == 2
    several = "only training and evaluation ...; start this one without the launcher"
    assert capsys.readouterr().err == says(f"{message or several}\n")


def test_a_signal_during_the_evaluation_of_another_process_leaves_the_epoch_open(make_trainer, recorder, monkeypatch):
    """The evaluation was cut short, so the run that is resumed must do it again."""

    class Told(Callback):
        def epoch_end(self, trainer):
            monkeypatch.setattr(processes, "gather", lambda value: [value, True])

    monkeypatch.setattr(processes, "world_size", lambda: 2)
    monkeypatch.setattr(processes, "total", list)
    monkeypatch.setattr(processes, "gather", lambda value: [value, value])
    monkeypatch.setattr(processes, "sum_gradients", lambda parameters, factor: None)
    trainer = make_trainer([Told(), recorder_without_values(recorder)])
    with pytest.raises(StoppedBySignal):
        trainer.fit()
    assert recorder.events[-3:] == ["end 0", "interrupted", "finish"]
    assert (trainer.state.epoch, trainer.state.step) == (0, 4)


def recorder_without_values(recorder):
    recorder.step_end = lambda trainer: None
    return recorder


def test_the_first_process_names_what_others_could_not_read(make_trainer, monkeypatch, tmp_path):
    setup_logging(tmp_path / "train.log", console=False)
    monkeypatch.setattr(processes, "gather", lambda value: [value, {"b.png": "empty"}] if value == {} else [value])
    make_trainer([ConsoleLog(10)], epochs=1).fit()
    last = (tmp_path / "train.log").read_text().splitlines()[-2:]
    assert last[0].endswith("WARNING: 1 picture could not be read and was left out:")
    assert last[1] == "  b.png: empty"
