"""The library's commands, in this process, on eight tiny pictures whose values are arithmetic."""

import contextlib
import io
import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from helpers.pictures import save_picture, solid
from helpers.tiny_run import use_tiny
from ppcls.arch.families.dla.facts import DLAParams
from ppcls.arch.layers import Backbone, conv_norm_relu
from ppcls.cli import main
from ppcls.config import load_config
from ppcls.engine import build
from ppcls.engine.schema import registries
from ppcls.untrusted.unpickle import load_pickle
from ppcls.utils.logging import get_logger

RUN = "trained/SqueezeNet1_1"  # under the lab's home: two epochs, evaluated after each
CONFIG = """
Global: {{epochs: 1, device: cpu, output_dir: output, print_batch_step: 1, console: paddleclas,
  eval_during_train: false, image_shape: [3, 32, 32], save_inference_dir: bundle}}
Arch: {{name: SqueezeNet1_1, class_num: 4}}
Loss: {{Train: [CELoss: {{}}], Eval: [CELoss: {{}}]}}
Optimizer: {{name: Momentum, lr: {{name: Constant, learning_rate: 0.001}}}}
DataLoader:
  Train:
    dataset: &data
      name: ImageFolder
      image_root: {home}/data
      transform_ops: [DecodeImage: {{}}, ResizeImage: {{size: 32}}, NormalizeImage: {{}}]
    sampler: {{name: DistributedBatchSampler, batch_size: 2}}
    loader: {{num_workers: 0}}
  Eval:
    dataset: *data
    sampler: {{name: DistributedBatchSampler, batch_size: 4}}
    loader: {{num_workers: 0}}
Infer: {{infer_imgs: {home}/data, batch_size: 8, PostProcess: {{name: Topk, topk: 2}}}}
Metric: {{Train: [TopkAcc: {{topk: 1}}], Eval: [TopkAcc: {{topk: 1}}]}}
"""
DEPLOY = """
Global: {{inference_model_dir: {home}/bundle, infer_imgs: {home}/data, batch_size: 8, cpu_num_threads: 1}}
PostProcess: {{Topk: {{topk: 2}}}}
"""


@dataclass(frozen=True)
class Run:
    """What a command left: its exit code and its texts."""

    code: int
    out: str
    err: str

    def find(self, pattern):
        """What the pattern finds in the log: whole numbers as such."""
        return [int(found) if found.isdigit() else found for found in re.findall(pattern, self.out)]

    @property
    def trained_epochs(self):
        """Epochs that ended, by their number."""
        return self.find(r"END epoch:(\d+) +train")

    @property
    def trained_steps(self):
        """Steps of training that were logged."""
        return self.find(r"train step:(\d+)")

    @property
    def evaluated_steps(self):
        """Steps of evaluation that were logged."""
        return self.find(r"valid step:(\d+)")

    @property
    def rates(self):
        """Learning rates of the training steps."""
        return [float(rate) for rate in re.findall(r"train step.* lr: ([\d.]+)", self.out)]

    def loss(self, part):
        """The first loss that was logged, of `train` or `valid`."""
        return float(re.findall(rf"{part} step.* loss: ([\d.]+)", self.out)[0])

    @property
    def answers(self):
        """Per picture: its name and the text of the answer."""
        return dict(re.findall(r"(\S+):\t(.*)", self.out))


class Small(Backbone):
    """One convolution, in the place of DLA46_c."""

    stem_layer = "stem.0"

    def __init__(self, params):
        super().__init__(params, (8,), (2,))
        self.stem = conv_norm_relu(params.in_channels, 8, 3, 2)

    def features(self, x):
        return [self.stem(x)]  # [N, 8, H/2, W/2]


@dataclass
class Lab:
    """A working directory of its own for one observation, and the home that all share and only read."""

    home: Path
    folder: Path
    patch: pytest.MonkeyPatch

    def run(self, command, overrides, *options):
        """A command, as typed: `-o key=value` for each override. Its SqueezeNet1_1 is a tiny network."""
        file = "deploy.yaml" if command == "predict" else "config.yaml"
        words = [command, "-c", str(self.home / file), *options]
        for override in as_text(overrides):
            words += ["-o", override]
        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            use_tiny(patch.setattr)
            code = main(words)
        return Run(code, out.getvalue(), err.getvalue())

    def train(self, overrides):
        """A training that ends well."""
        return self.well("train", overrides)

    def trained(self, command, overrides):
        """eval or infer with the trained weights."""
        return self.well(command, {"Global.pretrained_model": self.home / RUN / "latest", **overrides})

    def export(self, overrides):
        """An export of a small backbone that was never trained, and so has no class names."""
        self.patch.setattr(DLAParams, "_make", lambda params: Small(params))
        return self.run(
            "export", {"Arch": {"name": "DLA46_c", "class_num": 4}, **overrides}, "--untrained", "--format", "json"
        )

    def well(self, command, overrides):
        """A command that ends well."""
        run = self.run(command, overrides)
        assert run.code == 0, run.err
        return run

    def config(self, overrides, command="train"):
        """The configuration that a command would get."""
        return load_config(self.home / "config.yaml", as_text(overrides), registries(), command)

    def reader(self, overrides):
        """The training's reader of pictures."""
        config = self.config(overrides)
        section = config.DataLoader.Train
        return build.loader(section, build.images(section, config.Arch.class_num), config, on_error="skip")

    def weights(self, run="output/SqueezeNet1_1/latest"):
        """The classifier's trained weights, as bytes."""
        return load_pickle(self.folder / run / "ppcls.pdparams")["fc.weight"].tobytes()


def as_text(overrides):
    """Overrides as they are typed."""
    return [f"{key}={json.dumps(value, default=str)}" for key, value in overrides.items()]


@contextlib.contextmanager
def open_lab(home, folder):
    """A lab in an empty folder; afterwards patches are undone and the library's log is as pytest wants it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield Lab(home, folder, patch)
    logger = get_logger()
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


def make_home(home):
    """Pictures, lists of them, configurations, trained weights and a bundle."""
    for index in range(8):  # picture i is gray of value 30 i; two a class
        name = Path("abcd"[index // 2]) / f"{index}.png"
        save_picture(home / "data" / name, solid(30 * index))
        save_picture(home / "negative" / name, solid(255 - 30 * index))
        save_picture(home / "broken" / name, solid(30 * index))
    (home / "broken" / "d" / "7.png").write_bytes(b"no picture")
    files = {
        "config.yaml": CONFIG.format(home=home),
        "deploy.yaml": DEPLOY.format(home=home),
        "four.txt": "a/0.png 0\nb/2.png 1\nc/4.png 2\nd/6.png 3\n",
        "two.txt": "c/5.png 3\na/1.png 1\n",
        "broken.txt": "".join(f"{'abcd'[index // 2]}/{index}.png {index // 2}\n" for index in range(8)),
        "semicolons.txt": "a/0.png;2\nb/2.png;1\n",
        "columns.csv": "first,second,kind,age\na/0.png,b/2.png,2,1\nb/3.png,c/5.png,0,3\n",
        "backwards.txt": "d\nc\nb\na\n",
        "names.txt": "ant\nbee\ncat\ndog\n",
    }
    for file, text in files.items():
        (home / file).write_text(text, encoding="utf-8")
    with open_lab(home, home) as lab:
        lab.train({"Global.epochs": 2, "Global.output_dir": home / "trained", "Global.eval_during_train": True})
        assert lab.export({}).code == 0
