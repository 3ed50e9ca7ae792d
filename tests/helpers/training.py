"""A tiny network, a loader of arithmetic pictures, and a trainer around them."""

from types import SimpleNamespace

import numpy as np
import paddle

from ppcls.engine.trainer import Trainer
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


def tiny_trainer(callbacks=(), epochs=3, **keywords):
    """The same trainer every time; it has dropout, so that the random generator matters."""
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
