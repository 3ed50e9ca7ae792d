"""What tests of the training loop share."""

import pytest

from helpers.training import tiny_trainer
from ppcls.engine import checkpoint, optimizer_state
from ppcls.engine.trainer import Callback, TrainState


@pytest.fixture
def make_trainer():
    """Builds the same trainer every time."""
    return tiny_trainer


@pytest.fixture
def restore():
    """Gives a fresh trainer what a checkpoint holds, as the train command does."""

    def put(trainer, folder):
        saved = checkpoint.read(folder)
        trainer.model.set_state_dict(saved.parameters())
        optimizer_state.restore_optimizer(trainer.model, trainer.optimizer, saved.optimizer())
        trainer.state = TrainState(saved.states["epoch"], saved.states["step"], saved.states["best"])
        trainer.averages.restore(saved.states["averages"])
        for metric, state in zip(trainer.metrics, saved.states["metrics"]):
            metric.restore(state)
        return trainer

    return put


class Recorder(Callback):
    """Writes down what happens, and the running values after each step."""

    def __init__(self):
        self.events, self.values = [], []

    def train_begin(self, trainer):
        self.events.append("begin")

    def step_end(self, trainer):
        self.events.append((trainer.state.epoch, trainer.state.step))
        self.values.append((trainer.optimizer.get_lr(), trainer.values()))

    def epoch_end(self, trainer):
        self.events.append(f"end {trainer.state.epoch}")

    def epoch_closed(self, trainer):
        self.events.append(f"closed, now {trainer.state.epoch}")

    def interrupted(self, trainer):
        self.events.append("interrupted")

    def train_end(self, trainer):
        self.events.append("finish")


@pytest.fixture
def recorder():
    return Recorder()
