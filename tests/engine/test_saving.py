"""Checkpoints written beside the steps: what a failing disk does to a run, and when the minutes are over."""

import errno
import itertools
import logging
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.messages import refusal, says
from ppcls.engine import checkpoint
from ppcls.engine.callbacks import SaveCheckpoints, checkpoints
from ppcls.engine.callbacks.checkpoints import Background
from ppcls.engine.ema import MovingAverage
from ppcls.engine.signals import StoppedBySignal
from ppcls.engine.trainer import Callback
from ppcls.utils.errors import UserError


def saver(folder, **keywords):
    return SaveCheckpoints(folder, **{"interval_epochs": 1, "interval_steps": None, "keep": 1, "facts": {}, **keywords})


class Disk:
    """Has room for some checkpoints only, or for none between two of them."""

    def __init__(self, patch, fails, error):
        self.fails, self.error, self.saves = fails, error, itertools.count()
        self.write = checkpoint.write
        patch.setattr(checkpoint, "write", self)

    def __call__(self, folder, taken, also=()):
        if next(self.saves) in self.fails:
            raise self.error
        self.write(folder, taken, also)


def full():
    return OSError(errno.ENOSPC, "No space left on device", "ppcls.pdparams")


def test_a_full_disk_ends_the_run_and_the_last_good_checkpoint_stays(tmp_path, make_trainer, monkeypatch):
    Disk(monkeypatch, {1, 2}, full())
    trainer = make_trainer([saver(tmp_path)], epochs=4)
    assert refusal(trainer.fit) == says(
        f"{tmp_path}/latest: ... (No space left on device); the one before it is there still; make room and resume"
    )
    assert trainer.state.epoch == 3  # noticed when the next one was due
    assert checkpoint.read(tmp_path).states["epoch"] == 1


def test_the_last_checkpoint_of_a_run_is_waited_for(tmp_path, make_trainer, monkeypatch):
    Disk(monkeypatch, {2}, full())
    with pytest.raises(UserError, match=r"latest: cannot be written \(No space left on device\)"):
        make_trainer([saver(tmp_path)], epochs=3).fit()
    assert checkpoint.read(tmp_path).states["epoch"] == 2


def test_a_run_may_go_on_without_a_checkpoint(tmp_path, make_trainer, monkeypatch, caplog):
    Disk(monkeypatch, {1, 2}, full())
    with caplog.at_level(logging.WARNING, "ppcls"):
        make_trainer([saver(tmp_path, on_error="continue")], epochs=4).fit()
    reason = f"{tmp_path}/latest: cannot be written (No space left on device)"
    assert caplog.messages == [f"{reason}; the one before it is there still, and the run continues"] * 2
    assert checkpoint.read(tmp_path).states["epoch"] == 4


@pytest.mark.parametrize(
    ("fails", "message"),
    [({2, 3}, "the one before it is there still, ...; make room and resume with -o "
         "Global.checkpoints={folder}/latest"),
     ({0, 1, 2, 3}, "no checkpoint is there, ...; make room and train again")],
)  # fmt: skip
def test_a_run_whose_last_checkpoint_is_lost_does_not_end_well(tmp_path, make_trainer, monkeypatch, fails, message):
    Disk(monkeypatch, fails, full())
    saving = saver(tmp_path, on_error="continue")
    make_trainer([saving], epochs=4).fit()
    assert refusal(saving.require_saved) == says(f"... {message.format(folder=tmp_path)} ...")


def test_a_run_whose_last_checkpoint_is_there_ends_well(tmp_path, make_trainer, monkeypatch):
    Disk(monkeypatch, {0, 1, 2}, full())
    saving = saver(tmp_path, on_error="continue")
    make_trainer([saving], epochs=4).fit()
    saving.require_saved()


def test_the_best_is_what_the_disk_holds(tmp_path, make_trainer, monkeypatch):
    """Epoch 1 is better than epoch 0, but its checkpoint is lost: `best_model` is still that of epoch 0."""
    seen = []

    class Evaluate(Callback):
        def epoch_end(self, trainer):
            seen.append(trainer.state.best.get("epoch"))
            if trainer.state.epoch < 2:
                trainer.state.best = {"metric": "top1", "epoch": trainer.state.epoch, "top1": 0.5, "score": 0.5}

    Disk(monkeypatch, {3}, full())  # two for each epoch: before the evaluation and at its end
    make_trainer([saver(tmp_path, on_error="continue", before_evaluation=True), Evaluate()], epochs=3).fit()
    assert seen == [None, 0, 0]
    assert checkpoint.read(tmp_path / "best_model").states["epoch"] == 1
    states = checkpoint.read(tmp_path).states
    assert (states["epoch"], states["best"]["epoch"]) == (3, 0)


@pytest.mark.parametrize("part", ["ppcls.pdparams", "ppcls.pdopt", "ppcls.pdstates"])
def test_the_disk_is_full_within_a_checkpoint(tmp_path, make_trainer, monkeypatch, part):
    """What was written of it so far is deleted by the next one."""
    make_trainer([saver(tmp_path)], epochs=1).fit()
    save, text = checkpoint._save, checkpoint.Path.write_text

    def save_some(content, path):
        if path.name == part:
            path.write_bytes(b"half")
            raise full()
        save(content, path)

    def write_some(path, *arguments, **keywords):
        if path.name == f".{part}":
            raise full()
        return text(path, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_save", save_some)
        patch.setattr(checkpoint.Path, "write_text", write_some)
        with pytest.raises(UserError):
            make_trainer([saver(tmp_path)], epochs=2).fit()
    assert checkpoint.read(tmp_path).states["epoch"] == 1
    assert (tmp_path / ".latest.new").exists()
    make_trainer([saver(tmp_path)], epochs=2).fit()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch_2", "latest"]


def test_a_folder_that_cannot_be_written_to(tmp_path, make_trainer, monkeypatch):
    """A file stands where the run's folder should be: as for a read-only one, there is no way in for root either."""
    (tmp_path / "run").write_text("a file")
    with pytest.raises(UserError, match=r"run/latest: cannot be written \(File exists\); no checkpoint"):
        make_trainer([saver(tmp_path / "run")], epochs=1).fit()


class Mount:
    """A file system that comes and goes: `gone` turns the run's folder into that of the mount point below."""

    def __init__(self, patch, folder):
        self.folder, self.device = folder, 7
        patch.setattr(checkpoints, "_disk_of", lambda folder: self.device)

    def vanish(self):
        self.folder.rename(self.folder.with_name("aside"))
        self.folder.mkdir()
        self.device = 8

    def come_back(self):
        self.folder.rmdir()
        self.folder.with_name("aside").rename(self.folder)
        self.device = 9  # as a network's gets another number each time


@pytest.mark.parametrize("on_error", ["stop", "continue"])
def test_a_mount_that_vanishes(tmp_path, make_trainer, monkeypatch, caplog, on_error):
    folder = tmp_path / "run"
    folder.mkdir()
    mount = Mount(monkeypatch, folder)

    class Vanish(Callback):
        def epoch_closed(self, trainer):
            trainer.callbacks[0].wait()
            if trainer.state.epoch == 2:
                mount.vanish()
            if trainer.state.epoch == 4:
                assert list(folder.iterdir()) == []
                mount.come_back()

    trainer = make_trainer([saver(folder, on_error=on_error), Vanish()], epochs=6)
    reason = (
        f"{folder}/latest: cannot be written (the disk that the run began on is not mounted there any more); "
        "no checkpoint is there"
    )
    if on_error == "continue":
        trainer.fit()
        assert caplog.messages == [f"{reason}, and the run continues"] * 2
        assert checkpoint.read(folder).states["epoch"] == 6
    else:
        with pytest.raises(UserError) as error:
            trainer.fit()
        assert str(error.value) == f"{reason}; make room and begin again"
        assert trainer.state.epoch == 3
        assert list(folder.iterdir()) == []


def test_a_read_only_file_system(tmp_path, make_trainer, monkeypatch):
    def refuse(path, *arguments, **keywords):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    make_trainer([saver(tmp_path)], epochs=1).fit()
    monkeypatch.setattr(checkpoint.Path, "mkdir", refuse)
    with pytest.raises(UserError, match=r"latest: cannot be written \(Read-only file system\)"):
        make_trainer([saver(tmp_path)], epochs=2).fit()
    assert checkpoint.read(tmp_path).states["epoch"] == 1


def test_a_fault_of_ours_is_no_full_disk(tmp_path, make_trainer, monkeypatch):
    Disk(monkeypatch, {0}, AssertionError("optimizer state belongs to no parameter"))
    with pytest.raises(AssertionError, match="belongs to no parameter"):
        make_trainer([saver(tmp_path, on_error="continue")], epochs=2).fit()


def test_a_stopped_run_does_not_say_that_it_saved_what_it_could_not(tmp_path, make_trainer, monkeypatch, caplog):
    class Stop(Callback):
        def step_end(self, trainer):
            trainer.stop.signum = 2

    Disk(monkeypatch, {0}, full())
    with caplog.at_level(logging.INFO, "ppcls"), pytest.raises(StoppedBySignal):
        make_trainer([Stop(), saver(tmp_path, on_error="continue")]).fit()
    assert [message.partition("(")[0] for message in caplog.messages] == [f"{tmp_path}/latest: cannot be written "]


def test_minutes_between_checkpoints(tmp_path, make_trainer, monkeypatch):
    """Every step takes 100 seconds: 5 minutes are over after every third; an epoch's end counts as one of them."""
    clock, seen = SimpleNamespace(now=1000.0), []
    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(monotonic=lambda: clock.now))

    class Tick(Callback):
        def step_end(self, trainer):
            clock.now += 100.0

    write = checkpoint.write

    def note(folder, taken, also=()):
        seen.append((taken.states["epoch"], taken.states["step"]))
        write(folder, taken, also)

    monkeypatch.setattr(checkpoint, "write", note)
    make_trainer([Tick(), saver(tmp_path, interval_minutes=5.0)], epochs=3).fit()
    assert seen == [(0, 3), (1, 0), (1, 3), (2, 0), (2, 3), (3, 0)]
    seen.clear()
    make_trainer([Tick(), saver(tmp_path, interval_minutes=5.0)], epochs=1, update_freq=2).fit()
    assert seen == [(0, 4), (1, 0)]  # due after three steps, in the midst of a group


class Spoil(Callback):
    """Puts an infinity where no loss sees it, after some steps."""

    def __init__(self, part, steps):
        self.part, self.steps = part, steps

    def step_end(self, trainer):
        if trainer.global_step == self.steps:
            tensor = {
                "weights": trainer.model[0].bias,
                "average": trainer.ema.average["2.weight"],
                "optimizer": trainer.optimizer._accumulators["velocity"][trainer.model[0].weight.name],
            }[self.part]
            values = tensor.numpy()
            values.flat[-1] = np.inf
            tensor.set_value(values)


@pytest.mark.parametrize(
    ("part", "named"),
    [("weights", "0.bias"), ("average", "2.weight"), ("optimizer", "0.weight/velocity_0")],
)
@pytest.mark.parametrize("on_error", ["stop", "continue"])
def test_what_is_not_finite_replaces_no_checkpoint(tmp_path, make_trainer, part, named, on_error):
    trainer = make_trainer(epochs=3)
    trainer.ema = MovingAverage(trainer.model, 0.9)
    trainer.callbacks = [Spoil(part, 6), saver(tmp_path, interval_steps=2, on_error=on_error)]
    assert refusal(trainer.fit) == says(
        f"{named} holds a NaN or an infinity after step 2 of 4, epoch 2 of 3, ...; {tmp_path}/latest stays "
        "...; lower Optimizer.lr.learning_rate or set Optimizer.clip_norm_global, and resume"
    )
    saved = checkpoint.read(tmp_path)
    assert (saved.folder.name, saved.states["epoch"], saved.states["step"]) == ("latest", 1, 0)
    for arrays in (saved.parameters(), saved.average(), saved.optimizer()):
        assert all(np.isfinite(array).all() for array in arrays.values())


def test_what_is_written_is_the_state_of_then(tmp_path, make_trainer, monkeypatch):
    """The writer is held back until the steps after it are done."""
    go_on, weights = threading.Event(), []
    checked = threading.Event()
    write = checkpoint.write

    def late(folder, taken, also=()):
        assert (go_on if taken.states["step"] == 2 else checked).wait(60)
        write(folder, taken, also)

    class Look(Callback):
        def step_end(self, trainer):
            weights.append(trainer.model[0].weight.numpy())
            if trainer.state.step == 4:
                go_on.set()

    monkeypatch.setattr(checkpoint, "write", late)
    keeper = saver(tmp_path, interval_steps=2)
    trainer = make_trainer([keeper], epochs=1)
    trainer.callbacks = [Look(), keeper, Check(tmp_path, checked, weights)]
    trainer.fit()
    assert len(weights) == 4


class Check(Callback):
    def __init__(self, folder, checked, weights):
        self.folder, self.checked, self.weights = folder, checked, weights

    def step_end(self, trainer):
        if trainer.state.step == 4:  # the second is on its way now, and the first was waited for
            saved = checkpoint.read(self.folder)
            assert (saved.states["step"], saved.states["averages"]["count"]) == (2, 4)
            np.testing.assert_array_equal(saved.parameters()["0.weight"], self.weights[1])
            self.checked.set()


def test_jobs_run_in_order_and_their_errors_come_back_once():
    background, done = Background(), []
    for number in range(5):
        background.submit(lambda number=number: done.append((number, threading.get_ident())))
    background.wait()
    assert [number for number, _ in done] == [0, 1, 2, 3, 4]
    (writer,) = {thread for _, thread in done}
    assert writer != threading.get_ident()

    def fail():
        raise OSError(errno.ENOSPC, "No space left on device")

    background.submit(fail)
    with pytest.raises(OSError, match="No space left"):
        background.submit(lambda: done.append("not reached"))
    background.wait()
    background.close()
    assert len(done) == 5


def test_the_writers_thread_lives_as_long_as_the_training(tmp_path, make_trainer):
    """It is started with the training, when memory is not short yet."""
    seen = []
    keeper = saver(tmp_path)

    class Look(Callback):
        def train_begin(self, trainer):
            seen.append(keeper._background._thread)

    make_trainer([keeper, Look()], epochs=1).fit()
    (thread,) = seen
    assert not thread.is_alive()
    assert keeper._background._thread is None
