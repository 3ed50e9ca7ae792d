"""Damaged and hostile states of a checkpoint: each is resumed from, or refused by one sentence."""

import json
import os
from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from helpers.bounds import assert_bounded
from helpers.fuzzing import assert_every_mutant_is_read_or_refused
from helpers.messages import refusal, says
from helpers.training import tiny_trainer
from ppcls.engine import checkpoint
from ppcls.engine.callbacks import SaveCheckpoints
from ppcls.engine.ema import MovingAverage
from ppcls.engine.resume import find_best, read_for, resume
from ppcls.engine.states import OPTIMIZER, PARAMS, STATES
from ppcls.engine.trained import _standing
from ppcls.utils.errors import UserError

RECIPE = {"Arch.class_num": 3, "pictures a step": 2, "Global.update_freq": 1, "Optimizer.name": "Momentum", "AMP": None}
FACTS = {
    "arch": "Tiny", "seed": 11, "epochs": 3, "threads": 1, "kernels": {"device": "cpu"}, "processes": 1,
    "update_freq": 1, "recipe": RECIPE,
    "class_names": ["a", "b", "c"], "order": "of these", "config_sha256": "0" * 64, "frozen": {"Teacher": "1" * 64},
    "versions": {"ppcls": "1.0", "paddle": "3.3.1"},
}  # fmt: skip
BEST = {"metric": "top1", "score": 0.5, "epoch": 0, "top1": 0.5, "loss": 1.25}
SCHEDULE = SimpleNamespace(lr_at=lambda step, steps, epochs: 0.1 / epochs)


def trainer_with_average(**keywords):
    trainer = tiny_trainer(**keywords)
    trainer.ema = MovingAverage(trainer.model, 0.9)
    return trainer


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run that was trained for one epoch, which has a best evaluation."""
    folder = tmp_path_factory.mktemp("run")
    trainer = trainer_with_average(callbacks=[SaveCheckpoints(folder, 1, None, 1, FACTS)], epochs=1)
    trainer.state.best = BEST
    trainer.fit()
    return folder


@pytest.fixture
def use(run, tmp_path):
    """Resumes with other content of the states file, as `ppcls train` does, and says what `ppcls eval` would."""
    folder = tmp_path / "run" / "latest"
    checkpoint.copy(run / "latest", folder)

    def resume_with(content):
        (folder / STATES).write_bytes(content)
        _standing(folder.parent / "best_model")
        checkpoint.read(folder.parent)
        checkpoint.states_of(folder / PARAMS)
        saved = read_for(folder, "Tiny", 3)
        trainer = trainer_with_average()
        resume(trainer, saved, RECIPE, SCHEDULE)
        find_best(trainer, saved, folder.parent / "best_model")
        return trainer

    resume_with.folder = folder
    resume_with.states = json.loads((folder / STATES).read_text())
    return resume_with


def test_the_whole_file_is_resumed_from(use):
    trainer = use(json.dumps(use.states).encode())
    assert (trainer.state.epoch, trainer.state.step, trainer.state.best) == (1, 0, BEST)
    assert trainer.ema.steps == 4


def test_changed_bytes(use):
    """A change within a number gives another number, and within a name that nothing reads another name."""
    seen = assert_every_mutant_is_read_or_refused(use, (use.folder / STATES).read_bytes(), 150)
    assert seen["refused"] > seen["read"] > 0


VALUES = (None, -1, 10**17, 10**400, 1e400, 0.5, True, "x", "x" * 10**5, [], [None], {}, {"x": None}, [[[]]], [1, "x"])


def test_another_value_of_each_key(use):
    """Every key on the first two levels gets values of other types and ranges."""
    refused = set()
    keys = [(key,) for key in use.states]
    keys += [(key, inner) for key, value in use.states.items() if isinstance(value, dict) for inner in value]
    for key in keys:
        for value in VALUES:
            states = json.loads(json.dumps(use.states))
            (states if len(key) == 1 else states[key[0]])[key[-1]] = value
            try:
                use(json.dumps(states).encode())
            except UserError as error:
                text = str(error)
                assert str(use.folder) in text and "\n" not in text and len(text) < 1000, (key, value, text)
                refused.add(key)
    read = set(keys) - refused
    # Nothing is computed from these, beyond their type
    assert read <= {("versions", "ppcls"), ("versions", "paddle")}, read


def test_a_missing_key(use):
    missed = []
    for key in use.states:
        states = {name: value for name, value in use.states.items() if name != key}
        try:
            use(json.dumps(states).encode())
        except UserError as error:
            assert f"{use.folder / STATES}: " in str(error) or key == "average_steps"
            missed.append(key)
    assert missed == [
        "schema", "files", "epoch", "step", "steps_per_epoch", "best", "averages", "metrics", "average_steps", "arch",
        "threads",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("epoch", -1, "epoch is -1, not a whole number of at least 0"),
        ("step", 5, "step is 5, but an epoch has 4 steps"),
        ("best", {"metric": "top1"}, "best is a dictionary, not the values of an evaluation"),
        ("files", {"../../secret": "0"}, "files is a dictionary, not digests of the checkpoint's files"),
    ],
)
def test_the_sentence_names_file_key_and_remedy(use, key, value, said):
    assert refusal(read_for_states, use, {**use.states, key: value}) == says(
        f"{use.folder}: ... ({use.folder / STATES}: {said}); give the folder of an older "
        "checkpoint, or ... without Global.checkpoints"
    )


def read_for_states(use, states):
    (use.folder / STATES).write_text(json.dumps(states))
    return read_for(use.folder, "Tiny", 3)


BOMBS = {
    "deep lists": b"[" * 10**6,
    "deep dictionaries": b'{"a":' * 200_000,
    "many lists": b'{"schema": 1, "x": [' + b"[]," * 330_000 + b"[]]}",
    "many keys": b'{"schema": 1, ' + b",".join(b'"%d":0' % number for number in range(80_000)) + b"}",
    "a number of a million digits": b'{"schema": 1, "epoch": ' + b"9" * 10**6 + b"}",
    "a name of a megabyte": b'{"schema": 1, "arch": ["' + b"x" * 10**6 + b'"]}',
    "zeros": bytes(10**6),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(use, name):
    file = use.folder / STATES
    message = assert_bounded(lambda: use(BOMBS[name]))
    assert message is not None and str(file) in message


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_regular_file_is_not_waited_for(use, kind):
    file = use.folder / STATES
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to("/dev/zero")
    message = assert_bounded(lambda: read_for(use.folder, "Tiny", 3))
    assert f"{use.folder}: no checkpoint to resume from" in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda arrays: arrays.update({"0.weight/velocity_0": np.zeros(7, "float32")}), "[7] for 0.weight/velocity_0"),
        (lambda arrays: arrays.update({"0.weight/velocity_0": "x"}), "0.weight/velocity_0 is str, not an array"),
        (lambda arrays: arrays.pop("0.bias/velocity_0"), None),
    ],
)
def test_an_optimizer_state_of_another_form(use, change, said):
    """Its digest is right, as in a file that somebody has made."""
    file = use.folder / OPTIMIZER
    arrays = checkpoint.read(use.folder).optimizer()
    change(arrays)
    file.unlink()
    paddle.save(arrays, str(file))
    files = {**use.states["files"], OPTIMIZER: checkpoint.sha256_of(file)}
    content = json.dumps({**use.states, "files": files}).encode()
    if said is None:
        use(content)
        return
    assert said in refusal(use, content)
