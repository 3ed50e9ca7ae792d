"""Log lines, letter by letter but for the times."""

import re
import subprocess
import sys
import threading
import time

import pytest

from helpers.checkout import ROOT
from helpers.messages import says
from ppcls.engine.callbacks import ConsoleLog, EvaluateEpochs, VisualDLLog
from ppcls.engine.ema import MovingAverage
from ppcls.engine.evaluator import Evaluator
from ppcls.engine.meters import Stopwatch
from ppcls.loss import CELoss, weighted_sum
from ppcls.metric import TopkAcc
from ppcls.utils.logging import get_logger, remarked, setup_logging

NUMBER = r"\d+\.\d{5}"
COST = rf"batch_cost: {NUMBER} s, reader_cost: {NUMBER} s, "
IPS = rf"ips: {NUMBER} images/sec\."


@pytest.fixture
def lines(tmp_path):
    """Reads what the log's file holds, without dates."""
    setup_logging(tmp_path / "train.log", console=False)
    return lambda: (tmp_path / "train.log").read_text().splitlines()


def evaluation_of(trainer, interval=1):
    def losses(logits, label):
        return weighted_sum((CELoss(),), logits, label)

    return EvaluateEpochs(Evaluator(trainer.loader, losses, [TopkAcc((1, 2)).accumulator()], 3), interval)


def test_lines_of_training_and_evaluation(make_trainer, lines):
    trainer = make_trainer(epochs=2)
    trainer.callbacks = [ConsoleLog(2), evaluation_of(trainer)]
    trainer.fit()
    date = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO: "
    values = rf"top1: {NUMBER}, top2: {NUMBER}, loss: {NUMBER}"
    patterns = []
    for epoch in (0, 1):
        lr = [0.1 / (1 + 4 * epoch + step) for step in (0, 2)]
        patterns += [
            date + rf"epoch:{epoch}  , train step:0   , {values}, lr: {lr[0]:.6f}, {COST}{IPS}",
            date + rf"epoch:{epoch}  , train step:2   , {values}, lr: {lr[1]:.6f}, {COST}{IPS}",
            date + rf"END epoch:{epoch}   train {values},  {COST}batch_cost_sum: {NUMBER} s, {IPS}",
            date + rf"epoch:{epoch}  , valid step:0   , {values}, lr: 0\.000000, {COST}{IPS}",
            date + rf"epoch:{epoch}  , valid step:3   , {values}, lr: 0\.000000, {COST}{IPS}",
            date + rf"END epoch:{epoch}   valid {values},  {COST}batch_cost_sum: {NUMBER} s, {IPS}",
            date + rf"best top1: {NUMBER} in epoch:\d",
        ]
    written = lines()
    assert len(written) == len(patterns)
    for line, pattern in zip(written, patterns):
        assert re.fullmatch(pattern, line), line


def test_with_a_moving_average_each_line_says_which_of_the_two_it_is_of(make_trainer, lines):
    """At its end, where a reader of PaddleClas's lines looks for nothing; every other line is as without."""
    trainer = make_trainer(epochs=1)
    trainer.ema, trainer.callbacks = MovingAverage(trainer.model, 0.5), [ConsoleLog(4), evaluation_of(trainer)]
    trainer.fit()
    values = rf"top1: {NUMBER}, top2: {NUMBER}, loss: {NUMBER}"
    patterns = [rf"epoch:0  , train step:0   , {values}, lr: 0.100000, {COST}{IPS}"]
    patterns += [rf"END epoch:0   train {values},  {COST}batch_cost_sum: {NUMBER} s, {IPS}"]
    for which in ("the weights", "their moving average"):
        patterns += [
            rf"epoch:0  , valid step:0   , {values}, lr: 0\.000000, {COST}{IPS} \({which}\)",
            rf"epoch:0  , valid step:3   , {values}, lr: 0\.000000, {COST}{IPS} \({which}\)",
            rf"END epoch:0   valid {values},  {COST}batch_cost_sum: {NUMBER} s, {IPS} \({which}\)",
        ]
    patterns += [rf"the weights' moving average: {values}; the weights: {values}", rf"best top1: {NUMBER} in epoch:0"]
    written = [line.partition("INFO: ")[2] for line in lines()]
    assert len(written) == len(patterns)
    for line, pattern in zip(written, patterns):
        assert re.fullmatch(pattern, line), line


def test_a_remark_is_of_one_thread_and_ends_with_its_block(lines):
    def said_elsewhere():
        get_logger().info("saved")

    thread = threading.Thread(target=said_elsewhere)
    with pytest.raises(KeyError), remarked("100 %"):
        thread.start()
        thread.join()
        get_logger().info("%d of %s", 1, "a %s")
        raise KeyError
    get_logger().info("%s", "after")
    assert [line[20:] for line in lines()] == ["INFO: saved", "INFO: 1 of a %s (100 %)", "INFO: after"]


def test_pictures_left_out_are_listed_by_path(make_trainer, lines):
    trainer = make_trainer([ConsoleLog(10)], epochs=1)
    trainer.loader.failures = {"b/2.jpg": "truncated", "a/1.jpg": "not a picture"}
    trainer.fit()
    text = "\n".join(lines())
    assert (
        "WARNING: 2 pictures could not be read and were left out:\n  a/1.jpg: not a picture\n  b/2.jpg: trunc" in text
    )


def test_best_is_the_highest_first_metric_and_interval_counts_epochs(make_trainer, lines):
    trainer = make_trainer(epochs=5)
    callback = evaluation_of(trainer, interval=2)
    scores = iter([{"top1": 0.5, "loss": 2.0}, {"top1": 0.7, "loss": 3.0}, {"top1": 0.6, "loss": 1.0}])
    callback.evaluator.run = lambda model, epoch: next(scores)
    trainer.callbacks = [callback]
    trainer.fit()
    assert [entry["epoch"] for entry in callback.history] == [1, 3, 4]
    assert trainer.state.best == {"metric": "top1", "score": 0.7, "epoch": 3, "top1": 0.7, "loss": 3.0}


def test_evaluation_leaves_training_untouched(make_trainer, lines):
    plain, watched = make_trainer(), make_trainer()
    watched.callbacks = [evaluation_of(watched)]
    plain.fit()
    watched.fit()
    assert watched.model.training
    for name, value in plain.model.state_dict().items():
        assert (value.numpy() == watched.model.state_dict()[name].numpy()).all()


def test_visualdl_that_breaks_is_said_once_and_stops_nothing(make_trainer, lines, tmp_path, monkeypatch):
    import visualdl

    class Broken:
        def __init__(self, logdir):
            pass

        def add_scalar(self, tag, value, step):
            raise RuntimeError("no space")

    monkeypatch.setattr(visualdl, "LogWriter", Broken)
    trainer = make_trainer([VisualDLLog(tmp_path / "vdl")], epochs=1)
    trainer.fit()
    assert trainer.state.epoch == 1
    assert [line[20:] for line in lines()] == [
        says("WARNING: VisualDL stopped (RuntimeError: no space); the run continues ...")
    ]


def test_visualdl_gets_the_values(make_trainer, tmp_path, monkeypatch):
    import visualdl

    written = []

    class Writer:
        def __init__(self, logdir):
            assert logdir == str(tmp_path / "vdl")

        def add_scalar(self, tag, value, step):
            written.append((tag, step))

        def close(self):
            written.append("closed")

    monkeypatch.setattr(visualdl, "LogWriter", Writer)
    trainer = make_trainer(epochs=1)
    evaluation = evaluation_of(trainer)
    trainer.callbacks = [evaluation, VisualDLLog(tmp_path / "vdl", evaluation)]
    trainer.fit()
    tags = ["train/top1", "train/top2", "train/loss", "train/lr", "train/images_per_second"]
    assert written[:5] == [(tag, 1) for tag in tags]
    assert written[-4:] == [("valid/top1", 4), ("valid/top2", 4), ("valid/loss", 4), "closed"]


def test_an_evaluation_that_is_not_finite_is_said_and_never_the_best(make_trainer, lines):
    trainer = make_trainer(epochs=2)
    callback = evaluation_of(trainer)
    scores = iter([{"top1": 0.5, "loss": float("nan")}, {"top1": 0.4, "loss": 1.0}])
    callback.evaluator.run = lambda model, epoch: next(scores)
    trainer.callbacks = [callback]
    trainer.fit()
    assert trainer.state.best["epoch"] == 1
    assert "is not finite (top1: 0.50000, loss: nan) and cannot be" in lines()[0]


def test_the_best_of_another_metric_is_forgotten_with_a_word(make_trainer, lines):
    trainer = make_trainer(epochs=1)
    trainer.state.best = {"metric": "top5", "score": 0.9, "epoch": 0, "top5": 0.9}
    callback = evaluation_of(trainer)
    callback.evaluator.run = lambda model, epoch: {"top1": 0.5}
    trainer.callbacks = [callback]
    trainer.fit()
    assert trainer.state.best["top1"] == 0.5
    assert lines()[0].endswith("so far, and is in top1 from now on")


def test_visualdl_that_breaks_when_closed_stops_nothing(make_trainer, lines, tmp_path, monkeypatch):
    import visualdl

    class Broken:
        def __init__(self, logdir):
            pass

        def add_scalar(self, tag, value, step):
            pass

        def close(self):
            raise OSError("gone")

    monkeypatch.setattr(visualdl, "LogWriter", Broken)
    make_trainer([VisualDLLog(tmp_path / "vdl")], epochs=1).fit()
    assert lines()[-1].endswith("VisualDL stopped (OSError: gone); the run continues without it")


def test_a_listener_that_is_gone_does_not_end_a_run():
    code = (
        "import logging, os, sys; from ppcls.utils.logging import setup_logging; setup_logging(); "
        "sys.stdin.readline(); logging.getLogger('ppcls').info('x'); logging.getLogger('ppcls').info('y'); "
        "sys.stderr.write('went on')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=ROOT,
    )  # fmt: skip
    process.stdout.close()
    process.stdin.write("\n")
    process.stdin.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0
    assert errors == "went on"


@pytest.mark.parametrize(
    ("read", "rest", "workers", "expected"),
    [
        (0.61, 0.39, 4, "reader_cost is 61 % of batch_cost: 4 workers decode 310 images/s, the model takes 795"),
        (0.5, 0.5, 1, "reader_cost is 50 % of batch_cost: 1 worker decodes 310 images/s, the model takes 620"),
        (0.34, 0.66, 0, "reader_cost is 34 % of batch_cost: this process decodes 310 images/s, the model takes 470"),
        (0.33, 0.67, 4, None),
        (0.09, 0.01, 4, None),  # less than a second in all
    ],
)
def test_a_reader_that_is_too_slow_is_said_once_an_epoch(
    make_trainer, lines, monkeypatch, read, rest, workers, expected
):
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    trainer = make_trainer([ConsoleLog(100)], epochs=2)
    trainer.loader.num_workers = workers
    epoch = type(trainer.loader).epoch

    def slow(loader, number, start_step=0):
        for step, batch in enumerate(epoch(loader, number, start_step)):
            clock[0] += read if step else 100  # the workers' start does not count
            yield batch

    def finish(stopwatch, images):
        clock[0] += rest
        stopwatch_finish(stopwatch, 310 if rest + read == 1 else images)

    stopwatch_finish = Stopwatch.finish
    monkeypatch.setattr(type(trainer.loader), "epoch", slow)
    monkeypatch.setattr(Stopwatch, "finish", finish)
    trainer.fit()
    said = [line[line.index("INFO: ") + 6 :] for line in lines() if "reader_cost is" in line]
    assert said == ([f"{expected}; raise DataLoader.Train.loader.num_workers"] * 2 if expected else [])
    monkeypatch.setattr("ppcls.engine.processes.is_first", lambda: False)
    trainer.callbacks[0].epoch_end(trainer)
    assert len([line for line in lines() if "reader_cost is" in line]) == len(said)
