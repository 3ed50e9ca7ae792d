"""When the report of a run is drawn, and that it never ends a run."""

import logging
import sys

import pytest

from helpers.training import tiny_trainer
from ppcls.analysis import run_report
from ppcls.engine.callbacks import TensorBoardLog, VisualDLLog, report
from ppcls.engine.callbacks.evaluation import EvaluateEpochs
from ppcls.engine.callbacks.report import DrawReport


class Evaluated(EvaluateEpochs):
    """An evaluation of every second epoch that costs nothing."""

    def __init__(self):
        super().__init__(evaluator=None, interval=2)

    def trial(self, trainer):
        pass

    def train_begin(self, trainer):
        pass

    def epoch_end(self, trainer):
        if trainer.state.epoch % 2:
            self.history.append({"epoch": trainer.state.epoch, "top1": 0.5})


@pytest.fixture
def clock(monkeypatch):
    """The seconds of a day in which drawing takes one, and each epoch `clock.epoch`."""

    class Clock:
        now, epoch, drawn = 100.0, 60.0, ()

        def monotonic(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(report, "time", made)

    def draw(folder):
        made.now += 1
        made.drawn = (*made.drawn, folder)

    monkeypatch.setattr(run_report, "write_run_report", draw)
    return made


class Ticking(report.Callback):
    def __init__(self, clock):
        self.clock = clock
        self.drawn = []

    def epoch_end(self, trainer):
        self.clock.now += self.clock.epoch

    def epoch_closed(self, trainer):
        self.drawn.append(len(self.clock.drawn))


def drawn_after_epochs(clock, evaluation, epochs):
    ticking = Ticking(clock)
    callbacks = [ticking, *([evaluation] if evaluation else []), DrawReport("folder", evaluation)]
    ticking.drawn = []
    after = Ticking(clock)
    after.epoch_end = lambda trainer: None
    tiny_trainer([*callbacks, after], epochs=epochs).fit()
    return after.drawn, len(clock.drawn)


def test_it_is_drawn_after_each_evaluation(clock):
    assert drawn_after_epochs(clock, Evaluated(), 4) == ([0, 1, 1, 2], 2)


def test_without_evaluations_it_is_drawn_after_each_epoch(clock):
    assert drawn_after_epochs(clock, None, 3) == ([1, 2, 3], 3)


def test_of_short_epochs_some_are_left_out_but_not_the_end(clock):
    clock.epoch = 8.0  # drawing takes a second
    assert drawn_after_epochs(clock, None, 8) == ([0, 0, 1, 1, 1, 2, 2, 2], 3)


def test_a_failure_is_logged_once_and_the_run_continues(clock, monkeypatch, caplog):
    def fail(folder):
        raise RuntimeError("no ink")

    monkeypatch.setattr(run_report, "write_run_report", fail)
    monkeypatch.setattr(logging.getLogger("ppcls"), "propagate", True)
    trainer = tiny_trainer([DrawReport("folder")], epochs=3)
    trainer.fit()
    assert trainer.state.epoch == 3
    assert (
        caplog.messages.count(
            "the report of the run cannot be drawn (RuntimeError: no ink); the run continues without it"
        )
        == 1
    )


@pytest.mark.parametrize(
    ("log", "module", "extra"), [(TensorBoardLog, "tensorboardX", "tensorboard"), (VisualDLLog, "visualdl", "visualdl")]
)
def test_a_logger_that_is_not_installed_stops_nothing(log, module, extra, monkeypatch, caplog, tmp_path):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(logging.getLogger("ppcls"), "propagate", True)
    trainer = tiny_trainer([log(tmp_path)], epochs=1)
    trainer.fit()
    assert trainer.state.epoch == 1
    assert caplog.messages == [
        f"{log.title} stopped (Unavailable: {module} is not installed; run `pip install 'ppcls[{extra}]'`); "
        "the run continues without it"
    ]
