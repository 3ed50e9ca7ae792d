"""A tiny network, a loader of arithmetic pictures, and a trainer around them."""

from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from ppcls.engine import checkpoint
from ppcls.engine.trainer import Callback, Trainer, TrainState
from ppcls.loss import CELoss, weighted_sum
from ppcls.metric import TopkAcc


class FakeLoader:
    """Four batches of two 'pictures' of three numbers; a picture's class is its index modulo 3."""

    steps_per_epoch = 4
    order = "of these"
    num_workers = 0

    def __init__(self):
        self.failures = {}
        self.read = []
        self.poison = None

    def epoch(self, epoch, start_step=0):
        order = np.random.default_rng(epoch).permutation(8)
        for step in range(start_step, 4):
            index = order[2 * step : 2 * step + 2]
            self.read.append((epoch, step))
            image = np.stack([np.sin(index + 1.0), np.cos(index * 2.0), index / 8.0], axis=1).astype("float32")
            if (epoch, step) == self.poison:
                image[0, 0] = np.nan
            yield SimpleNamespace(
                image=paddle.to_tensor(image),
                label=paddle.to_tensor(index % 3),
                index=index,
                paths=[f"pictures/{number}.png" for number in index],
            )


@pytest.fixture
def make_trainer():
    """Builds the same trainer every time: dropout is in, so that the generator matters."""

    def make(callbacks=(), epochs=3, **keywords):
        paddle.seed(5)
        model = paddle.nn.Sequential(paddle.nn.Linear(3, 16), paddle.nn.Dropout(0.5), paddle.nn.Linear(16, 3))
        return Trainer(
            model=model,
            losses=lambda logits, label: weighted_sum((CELoss(),), logits, label),
            optimizer=paddle.optimizer.Momentum(0.1, 0.9, parameters=model.parameters()),
            lr_at=lambda step: 0.1 / (1 + step),
            loader=FakeLoader(),
            epochs=epochs,
            seed=11,
            metrics=[TopkAcc((1, 2)).accumulator()],
            callbacks=list(callbacks),
            **keywords,
        )

    return make


@pytest.fixture
def restore():
    """Gives a fresh trainer what a checkpoint holds, as the train command does."""

    def put(trainer, folder):
        saved = checkpoint.read(folder)
        trainer.model.set_state_dict(saved.parameters())
        checkpoint.restore_optimizer(trainer.model, trainer.optimizer, saved.optimizer())
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
