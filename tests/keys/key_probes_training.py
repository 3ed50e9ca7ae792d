"""Probes of what a step, a checkpoint and an end of training are made of: Global, AMP, EMA."""

import contextlib
import errno
import inspect
import itertools
import json
from types import SimpleNamespace
from unittest.mock import ANY

import numpy as np
import paddle
from key_probe import Saying, probe

from ppcls.engine import checkpoint
from ppcls.untrusted.unpickle import load_pickle

LATEST = "output/SqueezeNet1_1/latest"


def states(lab):
    """What the newest checkpoint says, if there is one."""
    file = lab.folder / LATEST / "ppcls.pdstates"
    return json.loads(file.read_text()) if file.exists() else None


@probe("Global.update_freq", (1, [4e-3, 3e-3, 2e-3, 1e-3]), (2, [4e-3, 4e-3, 2e-3, 2e-3]))
def _update_freq(lab, value):
    """Rates of four steps that are four of the optimizer, or two."""
    lr = {"name": "Linear", "learning_rate": 0.004}
    return lab.train({"Global.update_freq": value, "Optimizer.lr": lr}).rates


@probe(
    "Global.sync_batch_norm", (False, ""), (True, Saying("synchronised batch norm has no effect in Paddle on a CPU"))
)
def _sync_batch_norm(lab, value):
    return lab.run("train", {"Global.sync_batch_norm": value}).err


@probe("Global.save_interval_minutes", (2, [2, 4]), (3, [3]))
def _save_interval_minutes(lab, value):
    """Steps at which a run is saved whose every look at the clock finds it a minute later."""
    minutes, saved = itertools.count(), []
    lab.patch.setattr(
        "ppcls.engine.callbacks.checkpoints.time", SimpleNamespace(monotonic=lambda: 60.0 * next(minutes))
    )
    write = checkpoint.write

    def note(folder, taken, also=()):
        saved.append(taken.states["step"])
        write(folder, taken, also)

    lab.patch.setattr(checkpoint, "write", note)
    lab.train({"Global.save_interval_minutes": value})
    return [step for step in saved if step]


@probe("Global.on_save_error", ("stop", (2, 2)), ("continue", (0, 3)))
def _on_save_error(lab, value):
    """The exit code, and the epoch of the last checkpoint, of a run whose third one finds no room."""
    number, save = itertools.count(), checkpoint.write

    def write(*arguments):
        if next(number) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(*arguments)

    lab.patch.setattr(checkpoint, "write", write)
    code = lab.run("train", {"Global.on_save_error": value, "Global.epochs": 4}).code
    return code, min(states(lab)["epoch"], 3)


@probe("Global.patience", (1, [0, 1]), (2, [0, 1, 2]))
def _patience(lab, value):
    """Epochs of a training that learns too little for another accuracy."""
    overrides = {"Global.epochs": 4, "Global.eval_during_train": True, "Optimizer.lr.learning_rate": 1e-9}
    return lab.train({**overrides, "Global.patience": value}).trained_epochs


def averages(lab, overrides):
    """A trained run's weights, and their average."""
    lab.train(overrides)
    arrays = [load_pickle(lab.folder / LATEST / f"{stem}.pdparams")["fc.weight"] for stem in ("ppcls_other", "ppcls")]
    return arrays if states(lab)["deployed"] == "average" else arrays[::-1]


@probe("EMA.decay", (0.0, True), (0.5, False))
def _decay(lab, value):
    """Whether the average is the weights of now."""
    return np.array_equal(*averages(lab, {"EMA.decay": value}))


@probe("EMA.warm_up", (False, ANY), (True, ANY), relation=lambda without, with_it: with_it < without / 2)
def _warm_up(lab, value):
    """How far the average stays behind."""
    weights, average = averages(lab, {"EMA": {"decay": 0.9, "warm_up": value}})
    return float(np.abs(weights - average).max())


@probe("EMA.deploy", ("average", True), ("weights", False))
def _deploy(lab, value):
    """Whether the weights that the checkpoint offers are those that are evaluated and deployed as the average."""
    lab.train({"EMA": {"decay": 0.9, "deploy": value}})
    offered = lab.weights()
    lab.train({"EMA": {"decay": 0.9, "deploy": "average"}, "Global.output_dir": "other"})
    return offered == lab.weights("other/SqueezeNet1_1/latest")


class Scaler:
    """Paddle's, on a CPU: scales nothing and notes how it is made."""

    signature = inspect.signature(paddle.amp.GradScaler)

    def __init__(self, made, **keywords):
        self.signature.bind(**keywords)
        made.append(keywords)

    def is_enable(self):
        return False

    def scale(self, loss):
        return loss

    def step(self, optimizer):
        optimizer.step()

    def update(self):
        pass

    def state_dict(self):
        return {}


def mixed_precision(lab, overrides, name, command="train"):
    """How Paddle's function is called, in a run as on a GPU; every call has to fit Paddle's own signature."""
    calls = {"auto_cast": [], "decorate": [], "GradScaler": []}

    def stub(called, answer):
        signature = inspect.signature(getattr(paddle.amp, called))

        def call(*arguments, **keywords):
            bound = signature.bind(*arguments, **keywords)
            calls[called].append({key: bound.arguments[key] for key in bound.arguments})
            return answer(bound.arguments)

        lab.patch.setattr(paddle.amp, called, call)

    lab.patch.setattr("ppcls.engine.device.of_mixed_precision", lambda level, dtype: "gpu")
    lab.patch.setattr(paddle.amp, "GradScaler", lambda **keywords: Scaler(calls["GradScaler"], **keywords))
    stub("auto_cast", lambda given: contextlib.nullcontext())
    stub("decorate", lambda given: (given["models"], given["optimizers"]))
    lab.train({"AMP.use_amp": True} | overrides)
    return calls[name]


@probe("AMP.use_amp", (False, ""), (True, Saying("needs a GPU")))
def _use_amp(lab, value):
    return lab.run("train", {"AMP.use_amp": value}).err


@probe("AMP.level", ("O1", ["O1"] * 4), ("O2", ["O2"] * 4))
def _level(lab, value):
    """The casts of four steps."""
    return [call["level"] for call in mixed_precision(lab, {"AMP.level": value}, "auto_cast")]


@probe("AMP.dtype", ("float16", ["float16"] * 4), ("bfloat16", ["bfloat16"] * 4))
def _dtype(lab, value):
    return [call["dtype"] for call in mixed_precision(lab, {"AMP.dtype": value}, "auto_cast")]


@probe("AMP.scale_loss", (128, [128.0]), (1024, [1024.0]))
def _scale_loss(lab, value):
    made = mixed_precision(lab, {"AMP.scale_loss": value}, "GradScaler")
    return [keywords["init_loss_scaling"] for keywords in made]


@probe("AMP.use_dynamic_loss_scaling", (True, [True]), (False, [False]))
def _use_dynamic_loss_scaling(lab, value):
    made = mixed_precision(lab, {"AMP.use_dynamic_loss_scaling": value}, "GradScaler")
    return [keywords["use_dynamic_loss_scaling"] for keywords in made]


@probe("AMP.use_fp16_test", (False, 4), (True, 6))
def _use_fp16_test(lab, value):
    """Casts of four steps, and of the evaluation and its trial before the training."""
    overrides = {"AMP.use_fp16_test": value, "Global.eval_during_train": True}
    return len(mixed_precision(lab, overrides, "auto_cast"))
