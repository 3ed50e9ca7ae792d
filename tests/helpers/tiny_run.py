"""A small training whose every bit is noted, and how two such are compared.

Its network has batch norm and dropout and trains in milliseconds, under the name of one that the library has.
"""

from helpers.pictures import noise, save_picture
from ppcls.arch.families.squeezenet.facts import SqueezeNet1_1Params
from ppcls.arch.layers import Backbone, conv_norm_relu
from ppcls.arch.weights import layouts
from ppcls.engine import checkpoint, train
from ppcls.engine.callbacks import ConsoleLog, EvaluateEpochs

CONFIG = """
Global: {{epochs: 4, device: cpu, output_dir: {out}, console: paddleclas, report: false, print_batch_step: 5,
  save_interval_steps: 2, keep: 1,
  update_freq: 2, image_shape: [3, 16, 16]}}
Arch: {{name: SqueezeNet1_1, class_num: 4}}
Loss: {{Train: [CELoss: {{epsilon: 0.1}}], Eval: [CELoss: {{}}]}}
Optimizer:
  name: Momentum
  lr: {{name: Cosine, learning_rate: 0.6, warmup_epoch: 1}}
  regularizer: {{name: L2, coeff: 0.001}}
EMA: {{decay: 0.9, warm_up: true}}
DataLoader:
  Train:
    dataset:
      name: ImageFolder
      image_root: {data}
      transform_ops: [DecodeImage: {{}}, RandCropImage: {{size: 16}}, RandFlipImage: {{}}, NormalizeImage: {{}}]
      batch_transform_ops: [MixupOperator: {{alpha: 0.2}}]
    sampler: {{name: DistributedBatchSampler, batch_size: 3, shuffle: true}}
    loader: {{num_workers: {workers}, use_shared_memory: false}}
  Eval:
    dataset:
      name: ImageFolder
      image_root: {data}
      transform_ops: [DecodeImage: {{}}, ResizeImage: {{size: 16}}, NormalizeImage: {{}}]
    sampler: {{name: DistributedBatchSampler, batch_size: 8}}
    loader: {{num_workers: 0}}
Metric: {{Train: [TopkAcc: {{topk: [1, 2]}}], Eval: [TopkAcc: {{topk: 1}}]}}
"""


class Tiny(Backbone):
    """Two convolutions."""

    stem_layer = "stem.0"

    def __init__(self, params):
        super().__init__(params, (8, 16), (2, 4))
        self.stem = conv_norm_relu(params.in_channels, 8, 3, 2)
        self.body = conv_norm_relu(8, 16, 3, 2)

    def run_stages(self, x):
        first = self.stem(x)  # [N, 8, H/2, W/2]
        return [first, self.body(first)]  # [N, 16, H/4, W/4]


def use_tiny(put):
    """Has it made in place of SqueezeNet1_1; `put` is `setattr`, or a monkeypatch's."""
    put(SqueezeNet1_1Params, "_make", lambda params: Tiny(params))
    put(layouts, "known_layouts", lambda name: (layouts.OURS,))


def prepare(folder, workers):
    """Twenty pictures in four classes, and the configuration."""
    for index in range(20):
        path = folder / "data" / "abcd"[index % 4] / f"{index}.png"
        save_picture(path, noise(24, 20, index) // (1 + index % 4))
    text = CONFIG.format(out=folder, data=folder / "data", workers=workers)
    (folder / f"config_{workers}.yaml").write_text(text)


def prepare_own(folder):
    """The same pictures and `own.yaml`, a training of one epoch into `output`."""
    prepare(folder, 0)
    text = (folder / "config_0.yaml").read_text()
    changes = {
        "save_interval_steps: 2": "save_interval_steps: null", "epochs: 4": "epochs: 1", "keep: 1": "keep: 3",
        f"output_dir: {folder}": "output_dir: output",
    }  # fmt: skip
    for then, now in changes.items():
        assert then in text
        text = text.replace(then, now)
    (folder / "own.yaml").write_text(text)
    (folder / "config_0.yaml").unlink()


def enter(folder, patch):
    """Works in a folder with pictures and `config_0.yaml`, where the tiny network trains."""
    patch.chdir(folder)
    use_tiny(patch.setattr)
    prepare(folder, 0)


def enter_own(folder, patch):
    """Works in a folder with pictures and `own.yaml`, where the tiny network trains for one epoch."""
    patch.chdir(folder)
    use_tiny(patch.setattr)
    prepare_own(folder)


def note_values(file, put):
    """Has every step's rate and values, and every evaluation's, appended to a file, to the last bit; `put` as above."""

    def note(kind, epoch, step, values):
        text = " ".join(f"{name}={float(value).hex()}" for name, value in values.items())
        with file.open("a") as out:
            out.write(f"{kind} {epoch} {step}: {text}\n")

    class Noting(ConsoleLog):
        def step_end(self, trainer):
            values = {"lr": trainer.optimizer.get_lr(), **trainer.values()}
            note("train", trainer.state.epoch, trainer.state.step, values)
            super().step_end(trainer)

    def compare(self, trainer, epoch, values, original=EvaluateEpochs._compare):
        note("valid", epoch, trainer.state.step, values)
        original(self, trainer, epoch, values)

    put(train, "ConsoleLog", Noting)
    put(EvaluateEpochs, "_compare", compare)


def values(run):
    """Rates, losses and metrics by step and evaluation; a step that was done again gave the same again."""
    noted = {}
    for line in (run / "values.txt").read_text().splitlines(keepends=True):
        if line.endswith("\n"):  # a kill may have cut the line
            key, text = line.split(": ")
            assert noted.setdefault(key, text) == text
    return noted


def ends_alike(whole, broken):
    """Compares the values of two runs, and all that they leave."""
    assert values(broken) == values(whole)
    leave_the_same(whole, broken)


def leave_the_same(whole, broken, names=("latest", "best_model", "epoch_4")):
    """Compares what two runs leave, to the bit."""
    left, left_whole = ([path.name for path in sorted((run / "SqueezeNet1_1").iterdir())] for run in (broken, whole))
    # A resumed run keeps the configuration that it began with.
    passing = (".config.yaml.", ".class_names.txt.", "config.1.yaml")
    assert [name for name in left if not name.startswith(passing)] == left_whole
    for name in names:
        ours, theirs = (checkpoint.read(run / "SqueezeNet1_1" / name) for run in (broken, whole))
        assert without_place(ours.states) == without_place(theirs.states)
        for part in (checkpoint.Checkpoint.parameters, checkpoint.Checkpoint.average, checkpoint.Checkpoint.optimizer):
            arrays, expected = part(ours), part(theirs)
            assert set(arrays) == set(expected)
            for key, array in expected.items():
                assert arrays[key].tobytes() == array.tobytes(), (name, key)


def without_place(states):
    """The states but for the bytes that depend on where the run lies."""
    return {key: value for key, value in states.items() if key not in ("config_sha256", "files")}
