"""Steps whose gradients add up to one step of the optimizer are as one larger batch."""

from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from ppcls.engine.ema import MovingAverage
from ppcls.engine.trainer import Callback, Trainer, groups
from ppcls.loss import CELoss, weighted_sum

PICTURES = 11  # by 2: six steps, the last of one picture


class Loader:
    """Batches of arithmetic pictures; `unreadable` steps have none."""

    def __init__(self, batch_size, unreadable=()):
        self.batch_size, self.unreadable, self.failures = batch_size, unreadable, {}
        self.steps_per_epoch = -(-PICTURES // batch_size)
        self.images = SimpleNamespace(paths=[str(index) for index in range(PICTURES)])

    def epoch(self, epoch, start_step=0):
        order = np.random.default_rng(epoch).permutation(PICTURES)
        for step in range(start_step, self.steps_per_epoch):
            index = order[self.batch_size * step : self.batch_size * (step + 1)]
            if step in self.unreadable:
                index = index[:0]
            image = np.stack([np.sin(index + 1.0), np.cos(index * 2.0), index / 8.0], axis=1).astype("float32")
            yield SimpleNamespace(image=paddle.to_tensor(image), label=paddle.to_tensor(index % 3), index=index)


class Rates(Callback):
    def __init__(self):
        self.rates = []

    def step_end(self, trainer):
        self.rates.append(trainer.optimizer.get_lr())


PLAIN, WEIGHTED = CELoss(), CELoss(epsilon=0.1, class_weights=(1, 2, 5))


def train(loader, update_freq, epochs=3, loss=PLAIN, **keywords):
    """A network without batch norm, trained by momentum; returns its trainer."""
    paddle.seed(5)
    model = paddle.nn.Sequential(paddle.nn.Linear(3, 16), paddle.nn.Tanh(), paddle.nn.Linear(16, 3))
    trainer = Trainer(
        model=model,
        losses=lambda logits, label: weighted_sum((loss,), logits, label),
        optimizer=paddle.optimizer.Momentum(0.1, 0.9, parameters=model.parameters(), weight_decay=0.01),
        lr_at=lambda step: 0.2 / (1 + step),
        loader=loader,
        epochs=epochs,
        seed=11,
        update_freq=update_freq,
        callbacks=[Rates()],
        **keywords,
    )
    trainer.fit()
    return trainer


def arrays(trainer):
    return [value.numpy() for value in trainer.model.state_dict().values()]


@pytest.mark.parametrize("loss", [PLAIN, WEIGHTED], ids=["plain", "weighted"])
@pytest.mark.parametrize("update_freq", [2, 3, 6])
def test_a_group_is_the_larger_batch(update_freq, loss):
    """11 pictures by 2: groups of 4, 4, 3 pictures; of 6, 5; of 11. The last step has a single one."""
    small, large = train(Loader(2), update_freq, loss=loss), train(Loader(2 * update_freq), 1, loss=loss)
    for ours, theirs in zip(arrays(small), arrays(large)):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    assert np.abs(arrays(small)[0] - arrays(train(Loader(2), 1))[0]).max() > 1e-3


def test_a_group_that_lacks_steps_is_a_batch_of_what_it_has():
    """Six steps in groups of four: 8 pictures, then the 3 that are left, as 11 pictures by 8."""
    for ours, theirs in zip(arrays(train(Loader(2), 4)), arrays(train(Loader(8), 1))):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("unreadable", [(0,), (1,), (0, 1), (5,)])
def test_pictures_that_cannot_be_read_weigh_nothing(unreadable):
    """The same steps by hand: the mean over the pictures of each group that were read."""
    ours = train(Loader(2, unreadable), 2, epochs=1)
    paddle.seed(5)
    model = paddle.nn.Sequential(paddle.nn.Linear(3, 16), paddle.nn.Tanh(), paddle.nn.Linear(16, 3))
    optimizer = paddle.optimizer.Momentum(0.1, 0.9, parameters=model.parameters(), weight_decay=0.01)
    batches = list(Loader(2, unreadable).epoch(0))
    for number in range(3):
        group = [batch for batch in batches[2 * number : 2 * number + 2] if len(batch.index)]
        optimizer.set_lr(0.2 / (1 + number))
        if group:
            image, label = (paddle.concat([getattr(batch, name) for batch in group]) for name in ("image", "label"))
            weighted_sum((CELoss(),), model(image), label)["loss"].backward()
            optimizer.step()
            optimizer.clear_grad()
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(ours.model.state_dict()[name].numpy(), value.numpy(), rtol=0, atol=1e-6)


def test_the_rate_changes_with_the_steps_of_the_optimizer():
    rates = train(Loader(2), 4, epochs=2).callbacks[0].rates
    assert rates == pytest.approx([0.2] * 4 + [0.1] * 2 + [0.2 / 3] * 4 + [0.05] * 2)
    assert [groups(6, update_freq) for update_freq in (1, 2, 3, 4, 5, 6, 7)] == [6, 3, 2, 2, 2, 1, 1]


def test_between_groups_is_where_no_gradients_wait():
    seen = []

    class Look(Rates):
        def step_end(self, trainer):
            waiting = trainer.model[0].weight.grad is not None and bool(trainer.model[0].weight.grad.abs().sum() > 0)
            seen.append((trainer.between_groups, waiting))

    paddle.seed(5)
    trainer = train(Loader(2), 4, epochs=1)
    trainer.callbacks, trainer.epochs = [Look()], 2
    trainer.fit()
    assert seen == [(False, True)] * 3 + [(True, False), (False, True), (True, False)]


def test_the_average_is_taken_after_steps_of_the_optimizer():
    paddle.seed(5)
    model = paddle.nn.Linear(3, 3)
    ema = MovingAverage(model, 0.5)
    assert ema.steps == 0
    trainer = train(Loader(2), 4, epochs=0)
    trainer.ema, trainer.epochs = MovingAverage(trainer.model, 0.5), 2
    trainer.fit()
    assert trainer.ema.steps == 4
