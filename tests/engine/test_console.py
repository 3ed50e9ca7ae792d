"""What a training shows on a terminal, and what through a pipe."""

import re
import sys
from types import SimpleNamespace

import pytest

from helpers.terminals import terminal
from ppcls.engine.callbacks import ConsoleLog, EvaluateEpochs, ProgressBar
from ppcls.engine.ema import MovingAverage
from ppcls.engine.evaluator import Evaluator
from ppcls.engine.trainer import Callback
from ppcls.loss import CELoss, weighted_sum
from ppcls.metric import TopkAcc
from ppcls.utils.logging import get_logger, on_console, setup_logging
from ppcls.utils.terminal import wrapped

VALUES = r"top1 \d\.\d{4}  top2 \d\.\d{4}  loss \d\.\d{4}"
SPEED = r"[\d.e+]+ images/s  0:00:00"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def watched(make_trainer, epochs=2, interval=2, bar=False, style="short"):
    """A trainer with the callbacks of a training, in their order."""

    def losses(logits, label):
        return weighted_sum((CELoss(),), logits, label)

    trainer = make_trainer(epochs=epochs)
    evaluator = Evaluator(trainer.loader, losses, [TopkAcc((1, 2)).accumulator()], interval, has_bar=bar)
    trainer.callbacks = [ConsoleLog(interval, has_bar=bar), EvaluateEpochs(evaluator, 1)]
    if bar:
        trainer.callbacks.insert(0, ProgressBar(style))
    return trainer


def test_lines_through_a_pipe(make_trainer, capsys):
    """Short, without date, in full without a bar; the best is named where it is new; nothing counts from 0."""
    setup_logging()
    trainer = watched(make_trainer)
    scores = iter([0.5, 0.25])
    compare = trainer.callbacks[1]._compare
    trainer.callbacks[1]._compare = lambda trainer, epoch, values: compare(
        trainer, epoch, {**values, "top1": next(scores)}
    )
    trainer.fit()
    patterns = []
    for epoch, rates in ((1, ("0.1", "0.03333")), (2, ("0.02", "0.01429"))):
        for step, rate in zip((1, 3), rates):
            patterns.append(rf"epoch {epoch}/2  step {step}/4  {VALUES}  lr {rate}")
        patterns.append(rf"epoch {epoch}/2  train  {VALUES}  lr [\d.]+  {SPEED}")
        for step in (1, 3):
            patterns.append(rf"epoch {epoch}/2  eval   step {step}/4  {VALUES}")
        patterns.append(rf"epoch {epoch}/2  eval   {VALUES}  {SPEED}")
        if epoch == 1:
            patterns.append("best so far: top1 0.5000")
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert said.err == ""
    assert len(lines) == len(patterns)
    for line, pattern in zip(lines, patterns):
        assert re.fullmatch(pattern, line), line
        assert len(line) <= 100
    assert not CONTROL.search(said.out)


def test_paddleclas_lines_are_those_of_the_file(make_trainer, capsys, tmp_path):
    setup_logging(tmp_path / "train.log", style="paddleclas")
    watched(make_trainer, epochs=1).fit()
    shown = capsys.readouterr().out
    assert shown == (tmp_path / "train.log").read_text()
    assert shown.count(" INFO: epoch:0  , valid step:") == 2


def test_the_two_evaluations_with_a_moving_average_are_told_apart(make_trainer, capsys):
    setup_logging()
    trainer = watched(make_trainer, epochs=1, interval=100)
    trainer.ema = MovingAverage(trainer.model, 0.5)
    trainer.fit()
    ends = [line for line in capsys.readouterr().out.splitlines() if "images/s" in line and "eval" in line]
    assert [line.rpartition("  ")[2] for line in ends] == ["0:00:00 (the weights)", "0:00:00 (their moving average)"]


def test_a_terminal_has_a_bar_of_the_epoch_and_of_the_whole_run(make_trainer, monkeypatch):
    """The bar replaces the lines of steps; lines stand above it; no line is wider than the terminal."""
    clock = iter(range(1000))
    monkeypatch.setattr("ppcls.engine.callbacks.console.time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    counted = []

    class Look(Callback):
        def step_end(self, trainer):
            bar = trainer.callbacks[0]._bar
            counted.append((bar.desc, bar.n, bar.total, bar.postfix.rpartition(",")[0]))

    with terminal(100) as shown:
        setup_logging()
        trainer = watched(make_trainer, bar=True)
        trainer.callbacks.append(Look())
        trainer.fit()
    # One second per step: 8 - n seconds are left of 8 steps
    assert counted == [
        (f"epoch {epoch}/2", step, 4, f"whole run 00:0{8 - 4 * epoch + 4 - step} left")
        for epoch in (1, 2)
        for step in (1, 2, 3, 4)
    ]
    assert "epoch 1/2   0%|" in shown.text and "epoch 2/2  eval:   0%|" in shown.text
    assert trainer.callbacks[0]._bar is None
    assert "step 1/4" not in shown.text
    drawn = [line.rpartition("\r")[2] for line in shown.text.split("\n")]
    assert [line.partition("  top1")[0] for line in drawn if "images/s" in line and "|" not in line] == [
        "epoch 1/2  train", "epoch 1/2  eval ", "epoch 2/2  train", "epoch 2/2  eval ",
    ]  # fmt: skip
    assert max(len(piece) for line in shown.text.split("\n") for piece in line.split("\r")) <= 100


def test_the_bar_counts_as_paddleclas_lines_do(make_trainer):
    with terminal(100) as shown:
        setup_logging(style="paddleclas")
        watched(make_trainer, epochs=1, bar=True, style="paddleclas").fit()
    assert "\repoch:0   0%|" in shown.text
    assert " INFO: epoch:0  , train step:0   , top1: " in shown.text


@pytest.mark.parametrize(
    ("variable", "value", "begin"),
    [("NO_COLOR", "", "\033[33mWARNING: \033[0m"), ("NO_COLOR", "1", "WARNING: "), ("TERM", "dumb", "WARNING: ")],
)
def test_a_warning_is_coloured_where_colours_are_wanted(monkeypatch, variable, value, begin):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(variable, value)
    with terminal(40) as shown:
        setup_logging()
        get_logger().warning("a picture of %s cannot be read and was left out", "/data/pictures/of/every/thing/1.png")
        get_logger().info("a line that a terminal of so few columns breaks")
    assert shown.text == (
        f"{begin}a picture of\n  /data/pictures/of/every/thing/1.png\n  cannot be read and was left out\n"
        "a line that a terminal of so few columns\n  breaks\n"
    )


def test_a_pipe_gets_whole_lines_without_colours(capsys, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    setup_logging()
    get_logger().warning("word " * 50)
    get_logger().info("for the file", extra=on_console(None))
    get_logger().info("for the file", extra=on_console("for the console"))
    assert capsys.readouterr().out == "WARNING: " + "word " * 50 + "\nfor the console\n"


def test_lines_that_are_indented_stay_so_when_they_are_broken():
    with terminal(30) as shown:
        sys.stdout.write(wrapped("heading:\n  first: one two three four five six", sys.stdout))
    assert shown.text == "heading:\n  first: one two three four\n    five six"
