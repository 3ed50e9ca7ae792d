"""Probes of the section Global, through the commands."""

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import ANY

import yaml
from key_lab import RUN
from key_probe import Saying, probe

from ppcls.analysis import run_report
from ppcls.arch.weights.files import read_weights, write_weights

VALID = r"END epoch:.* valid (.*),  batch_cost"


def folders(lab, pattern):
    """Names under the run's folder, in order."""
    return sorted(path.name for path in (lab.folder / "output" / "SqueezeNet1_1").glob(pattern))


@probe("Global.epochs", (1, [0]), (2, [0, 1]))
def _epochs(lab, value):
    return lab.train({"Global.epochs": value}).trained_epochs


@probe("Global.checkpoints", (None, [0, 1, 2]), (f"{RUN}/latest", [2]))
def _checkpoints(lab, value):
    return lab.train({"Global.epochs": 3, "Global.checkpoints": value and lab.home / value}).trained_epochs


@probe("Global.pretrained_model", (f"{RUN}/epoch_1", 0), (f"{RUN}/epoch_2", 1))
def _pretrained_model(lab, value):
    """Which of the evaluations during training its weights repeat."""
    log = (lab.home / RUN / "train.log").read_text()
    results = re.findall(VALID, log)
    assert len(set(results)) == 2
    (result,) = lab.well("eval", {"Global.pretrained_model": lab.home / value}).find(VALID)
    return results.index(result)


@probe("Global.preprocessing", ("config", [-1, 3, 32, 32]), ("weights", [-1, 3, 48, 48]))
def _preprocessing(lab, value):
    """The exported program's input, of weights that remember other pictures than the configuration's."""
    arrays = read_weights(lab.home / RUN / "latest").arrays
    record = {"model": "SqueezeNet1_1", "preprocessing": {"size": 48, "resize_short": 64}}
    weights = write_weights(lab.folder / "remembering.pdparams", arrays, record).path
    lab.well("export", {"Global.pretrained_model": weights, "Global.preprocessing": value})
    return yaml.safe_load((lab.folder / "bundle" / "inference.yml").read_text())["input"]["shape"]


@probe("Global.output_dir", ("one", ["one"]), ("two", ["two"]))
def _output_dir(lab, value):
    lab.train({"Global.output_dir": value})
    return sorted(path.name for path in lab.folder.iterdir())


@probe(
    "Global.existing_run",
    ("move", "['SqueezeNet1_1', 'SqueezeNet1_1.1']"),
    ("refuse", Saying("output/SqueezeNet1_1 holds a run already, and Global.existing_run is refuse")),
)
def _existing_run(lab, value):
    """What is said of a second run in the same folder, else the folders that there are then."""
    lab.train({})
    run = lab.run("train", {"Global.existing_run": value})
    return run.err or str(sorted(path.name for path in (lab.folder / "output").iterdir()))


@probe("Global.device", ("cpu", Saying("device cpu,")), ("gpu", Saying("write -o Global.device=cpu, or install")))
def _device(lab, value):
    lab.patch.setattr("paddle.is_compiled_with_cuda", lambda: False)
    run = lab.run("train", {"Global.device": value})
    return run.err or run.find("INFO: (device .*)")[0]


@probe(
    "Global.cpu_kernels", ("paddle", Saying("convolutions by Paddle (as chosen)")), ("onednn", Saying("by oneDNN 3"))
)
def _cpu_kernels(lab, value):
    """The line of the log; tests/kernels holds that these kernels then run."""
    lab.patch.setattr("ppcls.kernels.selection._selected", None)
    return lab.run("train", {"Global.cpu_kernels": value}).find("INFO: (convolutions .*)")[0]


@probe("Global.seed", (0, ANY), (1, ANY))
def _seed(lab, value):
    lab.train({"Global.seed": value})
    return lab.weights()


@probe("Global.save_interval", (1, ["epoch_1", "epoch_2", "epoch_3"]), (2, ["epoch_2"]))
def _save_interval(lab, value):
    lab.train({"Global.epochs": 3, "Global.save_interval": value})
    return folders(lab, "epoch_*")


@probe("Global.save_interval_steps", (None, None), (2, {"epoch": 0, "step": 2}))
def _save_interval_steps(lab, value):
    """What a run has saved that ends at its fourth step, whose picture is broken."""
    data = {"image_root": lab.home / "broken", "on_error": "raise"}
    overrides = {f"DataLoader.Train.dataset.{key}": given for key, given in data.items()}
    assert lab.run("train", {**overrides, "Global.save_interval_steps": value}).code == 2
    if not folders(lab, "latest"):
        return None
    states = json.loads((lab.folder / "output/SqueezeNet1_1/latest/ppcls.pdstates").read_text())
    return {key: states[key] for key in ("epoch", "step")}


@probe("Global.keep", (1, ["epoch_3"]), (2, ["epoch_2", "epoch_3"]))
def _keep(lab, value):
    lab.train({"Global.epochs": 3, "Global.keep": value})
    return folders(lab, "epoch_*")


@probe("Global.eval_during_train", (False, ([], [])), (True, (["best_model"], [0, 1])))
def _eval_during_train(lab, value):
    run = lab.train({"Global.eval_during_train": value})
    return folders(lab, "best_model"), run.evaluated_steps


@probe("Global.eval_interval", (1, [0, 1, 2, 3]), (3, [2, 3]))
def _eval_interval(lab, value):
    """Epochs that end with an evaluation; the last one always does."""
    overrides = {"Global.epochs": 4, "Global.eval_during_train": True, "Global.eval_interval": value}
    return lab.train(overrides).find(r"END epoch:(\d+) +valid")


@probe("Global.start_eval_epoch", (0, [0, 1, 2]), (1, [1, 2]))
def _start_eval_epoch(lab, value):
    """Epochs that end with an evaluation."""
    overrides = {"Global.epochs": 3, "Global.eval_during_train": True, "Global.start_eval_epoch": value}
    return lab.train(overrides).find(r"END epoch:(\d+) +valid")


@probe("Global.console", ("paddleclas", (4, 0)), ("short", (0, 4)))
def _console(lab, value):
    """Lines of steps on the terminal, in PaddleClas's form and in the short one."""
    run = lab.train({"Global.console": value})
    return len(run.trained_steps), len(run.find(r"(?m)^epoch 1/1  step (\d)/4  "))


@probe("Global.print_batch_step", (1, [0, 1, 2, 3]), (3, [0, 3]))
def _print_batch_step(lab, value):
    return lab.train({"Global.print_batch_step": value}).trained_steps


@probe("Global.report", (True, [1]), (False, []))
def _report(lab, value):
    """How often a short run is drawn: once, at its end."""
    drawn = []
    lab.patch.setattr(run_report, "write_run_report", lambda folder: drawn.append(len(drawn) + 1))
    lab.train({"Global.report": value, "Global.epochs": 2})
    return drawn


@probe("Global.loggers", ([], []), (["visualdl", "tensorboard"], ["vdl", "tensorboard"]))
def _loggers(lab, value):
    """The folders that writers are opened for."""
    opened = []

    def writer(logdir):
        opened.append(Path(logdir).name)
        return SimpleNamespace(add_scalar=lambda tag, value, step: None, close=lambda: None)

    lab.patch.setitem(sys.modules, "visualdl", SimpleNamespace(LogWriter=writer))
    lab.patch.setitem(sys.modules, "tensorboardX", SimpleNamespace(SummaryWriter=writer))
    lab.train({"Global.loggers": value})
    return opened


@probe(
    "Global.use_visualdl",
    (False, set()),
    (True, {"train/loss", "train/top1", "train/lr", "train/images_per_second"}),
)
def _use_visualdl(lab, value):
    """What VisualDL is given to draw."""
    tags = set()
    writer = SimpleNamespace(add_scalar=lambda tag, value, step: tags.add(tag), close=lambda: None)
    lab.patch.setitem(sys.modules, "visualdl", SimpleNamespace(LogWriter=lambda logdir: writer))
    lab.train({"Global.use_visualdl": value})
    return tags


@probe("Global.image_shape", ([3, 32, 64], Saying("but Global.image_shape is [3, 32, 64]")), ([3, 32, 32], ""))
def _image_shape(lab, value):
    """What is said of it where the transforms give 32 x 32 pixels."""
    return lab.export({"Global.image_shape": value}).err


@probe("Global.save_inference_dir", ("taken", Saying("taken is not a bundle's folder")), ("free", "['free', 'taken']"))
def _save_inference_dir(lab, value):
    """What is said of a folder with another file in it, else the folders that there are then."""
    (lab.folder / "taken").mkdir()
    (lab.folder / "taken" / "thesis.txt").touch()
    run = lab.export({"Global.save_inference_dir": value})
    said = run.err.replace(str(lab.folder), "")  # which is another one for each observation
    return said or str(sorted(path.name for path in lab.folder.iterdir()))


@probe("Global.global_batch", (1, [0.002] * 4), (4, [0.0005] * 4))
def _global_batch(lab, value):
    """The rates of a batch of 2 where 0.001 is for `value`."""
    return lab.train({"Optimizer.lr.scale": "linear", "Global.global_batch": value}).rates
