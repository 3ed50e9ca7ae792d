"""A training ends after so many evaluations in a row without a better one, resumed or not."""

import logging
import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import says
from ppcls.engine import checkpoint
from ppcls.engine.callbacks import EvaluateEpochs, SaveCheckpoints
from ppcls.engine.precision import Precision
from ppcls.engine.trainer import TrainState


class Scripted:
    """An evaluator that has its answers ready, by epoch."""

    should_stop = bool
    loader = SimpleNamespace(failures={})

    def __init__(self, scores, metric="top1"):
        self.scores, self.metric, self.epochs = scores, metric, []

    def run(self, model, epoch):
        self.epochs.append(epoch)
        return {self.metric: self.scores[epoch]}


class Recipe:
    """As much of a trainer as the callback looks at."""

    ema, model, optimizer, precision = None, None, None, Precision()

    def __init__(self, epochs, state=None):
        self.epochs, self.state, self.finished, self.stop = epochs, state or TrainState(), False, None

    def run(self, callback, until=None):
        """Epochs that were trained."""
        callback.train_begin(self)
        while self.state.epoch < self.epochs and not self.finished and self.state.epoch != until:
            callback.epoch_end(self)
            self.state.epoch += 1
        return self.state.epoch


SCORES = [0.1, 0.3, 0.2, 0.3, 0.4, 0.1, 0.2, 0.3, 0.4, 0.5]


@pytest.mark.parametrize(
    ("patience", "interval", "trained"),
    [
        (None, 1, 10), (1, 1, 3), (2, 1, 4), (3, 1, 8), (4, 1, 9), (5, 1, 10),
        (1, 2, 4),  # epochs 2, 4, ... score 0.3, 0.3
        (2, 2, 6),  # 0.3, 0.3, 0.1
        (3, 2, 8),
        (1, 3, 6),  # epochs 3, 6, 9, 10 score 0.2, 0.1
        (3, 3, 10),
    ],
)  # fmt: skip
def test_evaluations_without_a_better_first_metric(patience, interval, trained):
    evaluator = Scripted(SCORES)
    assert Recipe(10).run(EvaluateEpochs(evaluator, interval, patience=patience)) == trained


@pytest.mark.parametrize(
    ("first_after", "interval", "evaluated"),
    [
        (0, 1, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (7, 1, [7, 8, 9]),
        (4, 2, [5, 7, 9]),
        (5, 2, [5, 7, 9]),
        (6, 3, [8, 9]),  # the last epoch in any case
        (10, 1, [9]),
        (99, 4, [9]),
    ],
)
def test_the_first_epochs_may_not_be_evaluated(first_after, interval, evaluated):
    """As PaddleClas: epochs, counted from 1, that are above it and multiples of the interval."""
    evaluator = Scripted(SCORES)
    assert Recipe(10).run(EvaluateEpochs(evaluator, interval, first_after=first_after)) == 10
    assert evaluator.epochs == evaluated


def test_epochs_that_were_not_evaluated_are_not_in_vain():
    """Epochs 4, 5 and 6 score 0.3, 0.4, 0.1, 0.2: the last two are in vain."""
    assert Recipe(10).run(EvaluateEpochs(Scripted(SCORES), 1, patience=2, first_after=3)) == 7


def test_a_loss_gets_better_by_falling():
    losses = [3.0, 2.0, 2.5, 2.0, 1.0]
    assert Recipe(5).run(EvaluateEpochs(Scripted(losses, "loss"), 1, patience=2)) == 4


def test_an_evaluation_that_is_not_finite_is_no_better():
    assert Recipe(9).run(EvaluateEpochs(Scripted([math.nan] * 9), 1, patience=3)) == 3
    assert Recipe(9).run(EvaluateEpochs(Scripted([0.5, math.nan, math.inf, 0.4] + [0.6] * 5), 1, patience=3)) == 4


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=30),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(0, 30),
    st.integers(0, 9),
)
def test_a_run_broken_anywhere_ends_where_the_whole_one_ends(scores, patience, interval, broken_at, first_after):
    def callback():
        return EvaluateEpochs(Scripted(scores), interval, patience=patience, first_after=first_after)

    whole = Recipe(len(scores))
    whole.run(callback())
    first = Recipe(len(scores))
    first.run(callback(), until=broken_at)
    resumed = Recipe(len(scores), TrainState(first.state.epoch, 0, first.state.best))
    assert resumed.run(callback()) == whole.state.epoch
    assert resumed.state.best == whole.state.best


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(1, 4))
def test_the_rule_counted_one_by_one(scores, patience):
    best, in_vain, expected = -1, 0, len(scores)
    for epoch, score in enumerate(scores):
        best, in_vain = (score, 0) if score > best else (best, in_vain + 1)
        if in_vain == patience:
            expected = epoch + 1
            break
    assert Recipe(len(scores)).run(EvaluateEpochs(Scripted(scores), 1, patience=patience)) == expected


def test_a_trainer_ends_its_epoch_saves_and_says_so(tmp_path, make_trainer, restore, caplog):
    def callbacks(patience):
        keeper = SaveCheckpoints(tmp_path, 1, None, None, {}, before_evaluation=True)
        return [keeper, EvaluateEpochs(Scripted(SCORES), 1, patience=patience)]

    with caplog.at_level(logging.INFO, "ppcls"):
        make_trainer(callbacks(2), epochs=10).fit()
    assert caplog.messages[-1] == says("2 evaluations in a row ..., so the training is over")
    saved = checkpoint.read(tmp_path).states
    assert (saved["epoch"], saved["step"], saved["best"]["epoch"]) == (4, 0, 1)
    again = restore(make_trainer(callbacks(2), epochs=10), tmp_path)
    again.fit()
    assert again.loader.read == []
    patient = restore(make_trainer(callbacks(3), epochs=10), tmp_path)
    patient.fit()
    assert (patient.state.epoch, patient.state.best["epoch"]) == (8, 4)


def test_an_evaluation_that_is_done_again_counts_once(tmp_path, make_trainer, restore):
    """A run killed behind an evaluation was saved before it."""
    keeper = SaveCheckpoints(tmp_path, 1, None, None, {}, before_evaluation=True)

    class Stop(EvaluateEpochs):
        def epoch_end(self, trainer):
            super().epoch_end(trainer)
            if trainer.state.epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_trainer([keeper, Stop(Scripted(SCORES), 1, patience=2)], epochs=10).fit()
    saved = checkpoint.read(tmp_path).states
    assert (saved["epoch"], saved["step"]) == (2, 4)
    resumed = restore(make_trainer([EvaluateEpochs(Scripted(SCORES), 1, patience=2)], epochs=10), tmp_path)
    resumed.fit()
    assert resumed.state.epoch == 4
