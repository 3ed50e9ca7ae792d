"""The sections of a training configuration: every key, its meaning, its unit and its default, each written once here.

Components (a backbone, an optimizer, a transform ...) are named by kind only; their keys are their own fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from ppcls.config.dump import to_plain, to_yaml
from ppcls.utils.fields import (
    CheckedFields,
    Component,
    Fraction,
    NonNegativeInt,
    Operation,
    PositiveFloat,
    PositiveInt,
    ReadPath,
    UserPath,
)
from ppcls.utils.registry import Registry

Transforms = tuple[Annotated[Any, Operation("transform")], ...]
Losses = tuple[Annotated[Any, Operation("loss")], ...]
Metrics = tuple[Annotated[Any, Operation("metric")], ...]


@dataclass(frozen=True)
class GlobalSection(CheckedFields):
    """The run.

    Attributes:
        epochs: passes over the training list.
        checkpoints: the checkpoint to resume from: the folder of its run (`<output_dir>/<Arch>`), its own folder,
            `.../ppcls` in it, or one of its files.
        pretrained_model: weights to begin with, or those to evaluate, infer or export: a file of any known
            layout, its address, a checkpoint's folder, or `.../ppcls` in it.
        preprocessing: which one evaluation, prediction and export use if the weights come with their own preprocessing,
            as those of other libraries do: that of the `weights`, or that of the `config`.
        output_dir: the folder that gets `<Arch>/latest`, `best_model`, `epoch_N` and the logs.
        existing_run: what a training does with another run in `<output_dir>/<Arch>`: `move` it aside whole, to
            `<Arch>.1`, `.2` ...; `refuse` to train; or `overwrite` it, which deletes its checkpoints, log and records.
        device: `gpu`, `cpu`, or `auto`: the GPU if Paddle is built for CUDA and there is one, else the CPU.
        cpu_kernels: what computes convolutions, batch norm and pools in training and evaluation on a CPU: `onednn`,
            with activations whose channels are last; `paddle`, Paddle's own operators; or `auto`: oneDNN if the
            processor has AVX-512, unless the environment variable PPCLS_CPU_KERNELS says otherwise.
        seed: seed of all random numbers.
        save_interval: epochs between two kept `epoch_N` checkpoints.
        save_interval_steps: steps between two checkpoints within an epoch (`latest`); null for none.
        save_interval_minutes: minutes between two such checkpoints; null for none.
        on_save_error: `stop` or `continue` if a checkpoint cannot be written; the last good one is kept either way.
        keep: how many of the newest `epoch_N` checkpoints are kept; null for all.
        eval_during_train: whether training evaluates, and keeps the best weights as `best_model`.
        eval_interval: epochs between two evaluations.
        start_eval_epoch: epochs before the first evaluation; the last epoch is always evaluated.
        patience: the training ends after so many evaluations in a row without a better first metric; null for never.
        print_batch_step: steps between two lines of the log.
        console: the lines on the terminal: `short`, the `paddleclas` lines that `train.log` has, or none (`quiet`).
        report: whether the run's folder gets `curves.png` and `report.html`, drawn anew after each evaluation.
        loggers: what losses, learning rates and accuracies are also written for: `visualdl` (`vdl/` in the run's
            folder), `tensorboard` (`tensorboard/`), or both. One that fails does not end the run.
        use_visualdl: PaddleClas's way of writing `visualdl` in loggers.
        image_shape: channels, height and width in pixels of the exported program's input.
        save_inference_dir: the folder to which export writes the bundle.
        global_batch: pictures per step, over all processes, for which the learning rate was chosen; null if unknown.
        update_freq: batches whose gradients are summed for one step of the optimizer, as if they were one batch.
        sync_batch_norm: whether batch norm in training computes its statistics over all processes (GPUs only).
    """

    epochs: PositiveInt
    checkpoints: Annotated[str, ReadPath("checkpoint")] | None = None
    pretrained_model: Annotated[str, ReadPath("weights")] | None = None
    preprocessing: Literal["weights", "config"] = "weights"
    output_dir: Annotated[str, UserPath()] = "./output"
    existing_run: Literal["move", "refuse", "overwrite"] = "move"
    device: Literal["auto", "cpu", "gpu"] = "auto"
    cpu_kernels: Literal["auto", "onednn", "paddle"] = "auto"
    seed: NonNegativeInt = 0
    save_interval: PositiveInt = 1
    save_interval_steps: PositiveInt | None = None
    save_interval_minutes: PositiveFloat | None = None
    on_save_error: Literal["stop", "continue"] = "stop"
    keep: NonNegativeInt | None = 3
    eval_during_train: bool = True
    eval_interval: PositiveInt = 1
    start_eval_epoch: NonNegativeInt = 0
    patience: PositiveInt | None = None
    print_batch_step: PositiveInt = 10
    console: Literal["short", "paddleclas", "quiet"] = "short"
    report: bool = True
    loggers: tuple[Literal["visualdl", "tensorboard"], ...] = ()
    use_visualdl: bool = False
    image_shape: tuple[PositiveInt, PositiveInt, PositiveInt] = (3, 224, 224)
    save_inference_dir: Annotated[str, UserPath()] = "./inference"
    global_batch: PositiveInt | None = None
    update_freq: PositiveInt = 1
    sync_batch_norm: bool = False


@dataclass(frozen=True)
class LossSection(CheckedFields):
    """The losses of training and of evaluation; each list is summed."""

    Train: Losses = ()
    Eval: Losses = ()


@dataclass(frozen=True)
class MetricSection(CheckedFields):
    """The metrics of each training batch and of an evaluation. The first of `Eval` decides which weights are best."""

    Train: Metrics = ()
    Eval: Metrics = ()


@dataclass(frozen=True)
class LoaderSection(CheckedFields):
    """How batches are read.

    Attributes:
        num_workers: processes that read and transform pictures; 0 reads in the training process itself; null for as
            many as the machine's cores suggest: all but one of a process's cores beside a GPU, a quarter of them where
            the CPU trains. With shards, whose order depends on the number, null is 4.
        use_shared_memory: whether workers pass batches through shared memory (/dev/shm).
    """

    num_workers: NonNegativeInt | None = None
    use_shared_memory: bool = True


@dataclass(frozen=True)
class ReaderSection(CheckedFields):
    """A dataset, its sampler (whose `batch_size` is that of one process), and how it is read."""

    dataset: Annotated[Any, Component("dataset")]
    sampler: Annotated[Any, Component("sampler")]
    loader: LoaderSection = LoaderSection()


@dataclass(frozen=True)
class DataLoaderSection(CheckedFields):
    """The data of training and of evaluation. Inference and export use the transforms of `Eval` too."""

    Train: ReaderSection | None = None
    Eval: ReaderSection | None = None


@dataclass(frozen=True)
class InferSection(CheckedFields):
    """Prediction without export.

    Attributes:
        infer_imgs: a picture, its http(s) address, a folder of pictures, or a pattern (`photos/*.jpg`).
        batch_size: pictures in one forward pass.
        transforms: as in PaddleClas's files; if given, they must be equivalent to those of `DataLoader.Eval`.
        PostProcess: how scores become answers.
    """

    infer_imgs: Annotated[str, ReadPath("pictures")] | None = None
    batch_size: PositiveInt = 10
    transforms: Transforms | None = None
    PostProcess: Annotated[Any, Component("postprocess")] | None = None


@dataclass(frozen=True)
class PrecisionSection(CheckedFields):
    """Mixed precision on a GPU; on a CPU `O1` with `bfloat16`, if it has avx512_bf16 or AMX.

    Attributes:
        use_amp: whether mixed precision is used.
        level: `O1` casts the operations that gain from it; `O2` also holds the weights in half precision.
        dtype: `float16` (with loss scaling) or `bfloat16`.
        scale_loss: the initial loss scale.
        use_dynamic_loss_scaling: whether the loss scale is adapted to overflows.
        use_fp16_test: whether evaluation also runs in mixed precision.
    """

    use_amp: bool = True
    level: Literal["O1", "O2"] = "O1"
    dtype: Literal["float16", "bfloat16"] = "float16"
    scale_loss: PositiveFloat = 65536.0
    use_dynamic_loss_scaling: bool = True
    use_fp16_test: bool = False


@dataclass(frozen=True)
class AverageSection(CheckedFields):
    """An exponential moving average of the weights, evaluated beside them.

    Attributes:
        decay: weight of the old average in the new one, at every step of the optimizer.
        warm_up: whether the decay is smaller in the first steps, so that the initial weights are soon forgotten.
        deploy: which of them evaluation and export take from a checkpoint: the `average` or the `weights`.
    """

    decay: Fraction = 0.9999
    warm_up: bool = False
    deploy: Literal["average", "weights"] = "average"


@dataclass(frozen=True)
class Config(CheckedFields):
    """A checked configuration: its sections by their names in YAML, with the components as objects."""

    Global: GlobalSection
    Arch: Annotated[Any, Component("backbone")]
    Loss: LossSection = LossSection()
    Optimizer: Annotated[Any, Component("optimizer")] | None = None
    DataLoader: DataLoaderSection = DataLoaderSection()
    Infer: InferSection = InferSection()
    Metric: MetricSection = MetricSection()
    AMP: PrecisionSection | None = None
    EMA: AverageSection | None = None
    _registries: Mapping[str, Registry] = field(
        default_factory=dict, repr=False, compare=False
    )

    def to_yaml(self) -> str:
        """The configuration with every default filled in; loading it gives an equal one."""
        return to_yaml(self, self._registries)

    def to_plain(self) -> Any:
        """The same in dicts, lists and scalars."""
        return to_plain(self, self._registries)
