"""The order of a run, its numbers, and that it resumes where it stood."""

import os
import signal

import numpy as np
import paddle
import pytest

from helpers.messages import says
from ppcls.engine import checkpoint
from ppcls.engine.callbacks import SaveCheckpoints
from ppcls.engine.signals import StoppedBySignal
from ppcls.engine.trainer import Callback, step_seed
from ppcls.utils.errors import UserError


def test_order_of_events(make_trainer, recorder):
    make_trainer([recorder], epochs=2).fit()
    assert recorder.events == [
        "begin",
        (0, 1), (0, 2), (0, 3), (0, 4), "end 0", "closed, now 1",
        (1, 1), (1, 2), (1, 3), (1, 4), "end 1", "closed, now 2",
        "finish",
    ]  # fmt: skip


def test_learning_rate_is_that_of_the_global_step(make_trainer, recorder):
    make_trainer([recorder], epochs=2).fit()
    assert [lr for lr, _ in recorder.values] == pytest.approx([0.1 / (1 + step) for step in range(8)], rel=1e-7)


def test_one_step_is_the_textbook_step(make_trainer):
    """Softmax cross entropy by hand: weight -= lr * x^T (p - onehot) / N; dropout off for the sum to be known."""
    trainer = make_trainer(epochs=1)
    trainer.model = paddle.nn.Linear(3, 3)
    trainer.optimizer = paddle.optimizer.Momentum(0.1, 0.9, parameters=trainer.model.parameters())
    weight, bias = trainer.model.weight.numpy().astype("float64"), trainer.model.bias.numpy()
    batch = next(iter(trainer.loader.epoch(0)))
    image, label = batch.image.numpy(), batch.label.numpy()
    scores = np.exp(image @ weight + bias)
    residual = scores / scores.sum(1, keepdims=True) - np.eye(3)[label]
    trainer._step(batch)
    np.testing.assert_allclose(trainer.model.weight.numpy(), weight - 0.1 * image.T @ residual / 2, rtol=1e-5)
    expected = -np.log((scores / scores.sum(1, keepdims=True))[np.arange(2), label]).mean()
    assert trainer.values()["loss"] == pytest.approx(expected, rel=1e-5)


def saver(folder, interval_steps=None, keep=2):
    return SaveCheckpoints(folder, 1, interval_steps, keep, {"seed": 11})


class StopAfter(Callback):
    """Sends this process a signal after a number of steps, and again as an impatient user would."""

    def __init__(self, steps, signum):
        self.steps, self.signum = steps, signum

    def step_end(self, trainer):
        if trainer.global_step == self.steps:
            os.kill(os.getpid(), self.signum)

    def interrupted(self, trainer):
        os.kill(os.getpid(), self.signum)


@pytest.mark.parametrize("steps", [1, 3, 4, 6, 8, 11])
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_and_resumed_ends_bit_for_bit_where_the_unbroken_run_ends(
    tmp_path, make_trainer, restore, recorder, steps, signum, code
):
    whole = make_trainer([recorder])
    whole.fit()
    with pytest.raises(StoppedBySignal) as stopped:
        make_trainer([StopAfter(steps, signum), saver(tmp_path)]).fit()
    assert stopped.value.exit_code == code
    resumed_recorder = type(recorder)()
    resumed = restore(make_trainer([resumed_recorder, saver(tmp_path)]), tmp_path)
    resumed.fit()
    assert resumed.loader.read[:1] == ([(steps // 4, steps % 4)] if steps % 4 or steps == 8 else [(steps // 4, 0)])
    for name, value in whole.model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), resumed.model.state_dict()[name].numpy())
    assert resumed_recorder.values == recorder.values[steps:]


def test_resume_test_can_fail(tmp_path, make_trainer, restore):
    """Negative control: without the optimizer's state the resumed run ends elsewhere."""
    whole = make_trainer()
    whole.fit()
    with pytest.raises(StoppedBySignal):
        make_trainer([StopAfter(3, signal.SIGINT), saver(tmp_path)]).fit()
    resumed = restore(make_trainer(), tmp_path)
    resumed.optimizer = paddle.optimizer.Momentum(0.1, 0.9, parameters=resumed.model.parameters())
    resumed.fit()
    assert not np.array_equal(whole.model[0].weight.numpy(), resumed.model[0].weight.numpy())


def test_no_gradient_is_held_between_steps(make_trainer):
    trainer = make_trainer()
    trainer.fit()
    assert [each.grad for each in trainer.model.parameters()] == [None] * len(trainer.model.parameters())


def test_dropout_has_an_address():
    assert step_seed(1, 2, 3) == step_seed(1, 2, 3)
    assert len({step_seed(a, b, c) for a in range(3) for b in range(3) for c in range(3)}) == 27


def test_a_loss_that_is_not_finite_names_step_and_pictures_and_spares_the_weights(make_trainer, recorder):
    trainer = make_trainer([recorder])
    trainer.loader.poison = (1, 2)
    with pytest.raises(UserError) as error:
        trainer.fit()
    index = np.random.default_rng(1).permutation(8)[4:6]
    assert str(error.value) == says(
        "the loss is nan in step 3 of 4, epoch 2 of 3; ...; lower Optimizer.lr.learning_rate or look at "
        f"...: pictures/{index[0]}.png, pictures/{index[1]}.png"
    )
    assert recorder.events[-2:] == [(1, 2), "finish"]
    assert all(np.isfinite(value.numpy()).all() for value in trainer.model.state_dict().values())


def test_checkpoints_by_steps_epochs_and_retention(tmp_path, make_trainer):
    seen = []

    class Look(Callback):
        def step_end(self, trainer):
            keeper.wait()  # it writes beside the steps
            if (tmp_path / "latest").exists():
                states = checkpoint.read(tmp_path / "latest").states
                seen.append((trainer.state.epoch, trainer.state.step, states["epoch"], states["step"]))

    keeper = saver(tmp_path, interval_steps=3)
    make_trainer([keeper, Look()], epochs=4).fit()
    assert seen[:6] == [(0, 3, 0, 3), (0, 4, 0, 3), (1, 1, 1, 0), (1, 2, 1, 2), (1, 3, 1, 2), (1, 4, 1, 2)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch_3", "epoch_4", "latest"]


def test_an_unreadable_batch_is_passed_over_and_counted_as_a_step(make_trainer, recorder):
    trainer = make_trainer([recorder], epochs=1)
    batches = list(trainer.loader.epoch(0))
    batches[1].index = batches[1].index[:0]
    trainer.loader.epoch = lambda epoch, start_step: iter(batches)
    trainer.fit()
    assert recorder.events[1:5] == [(0, 1), (0, 2), (0, 3), (0, 4)]
    assert trainer.global_step == 4
    assert recorder.values[1][1] == recorder.values[0][1]


@pytest.mark.parametrize(("keep", "left"), [(None, [1, 2, 3]), (0, []), (1, [3]), (5, [1, 2, 3])])
def test_as_many_epochs_are_kept_as_asked(tmp_path, make_trainer, keep, left):
    make_trainer([saver(tmp_path, keep=keep)], epochs=3).fit()
    assert sorted(int(path.name[6:]) for path in tmp_path.glob("epoch_*")) == left


def test_nothing_readable_is_nothing_learnt(make_trainer):
    trainer = make_trainer(epochs=1)
    batches = list(trainer.loader.epoch(0))
    for batch in batches:
        batch.index = batch.index[:0]
    trainer.loader.epoch = lambda epoch, start_step: iter(batches)
    with pytest.raises(UserError, match=r"not one picture of DataLoader.Train could be read, so nothing was learnt"):
        trainer.fit()


def test_an_epoch_is_saved_before_an_evaluation_that_fails(tmp_path, make_trainer, restore, recorder):
    class Failing(Callback):
        def epoch_end(self, trainer):
            raise UserError("a picture cannot be read")

    careful = saver(tmp_path)
    careful.before_evaluation = True
    with pytest.raises(UserError):
        make_trainer([careful, Failing()]).fit()
    resumed = restore(make_trainer([recorder], epochs=1), tmp_path)
    resumed.fit()
    assert resumed.loader.read == []
    assert recorder.events == ["begin", "end 0", "closed, now 1", "finish"]
