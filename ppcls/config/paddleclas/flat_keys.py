"""The keys of PaddleClas's flat 2.0 format: the new key of each, and how its value is converted.

The loader, `ppcls config --migrate` and the tests read this one table.
"""

from __future__ import annotations

from dataclasses import dataclass

from ppcls.config.paddleclas.flat_values import (
    MIXING,
    Convert,
    accuracies,
    any_number,
    as_it_is,
    average,
    device,
    if_averaged,
    if_mixed,
    last_epoch,
    nothing,
    operations,
    path,
    per_process,
    pure_half_precision,
    schedule,
    smoothing,
    switch,
    use_mix,
)


@dataclass(frozen=True)
class Row:
    """One old key.

    Attributes:
        old: the old key, dotted; a last part `*` stands for every name that has no row of its own.
        new: the new key; empty if none is needed.
        convert: makes the new value; None if `new` is not to be set.
    """

    old: str
    new: str = ""
    convert: Convert = as_it_is

    @property
    def has_parts(self) -> bool:
        """Whether an override may go on below the key: `TRAIN.transforms.RandCropImage.size`."""
        return self.convert in (as_it_is, operations)


_DISTILLATION = nothing(
    "write false, and Arch as in configs/DLA/DLA34_distill_DLA102.yaml", False
)
_OTHER_DEVICE = nothing("only CPU and GPU are supported here; remove it", False)


def _reader(old: str, new: str) -> tuple[Row, ...]:
    return (
        Row(f"{old}.file_list", f"{new}.dataset.cls_label_path"),
        Row(f"{old}.data_dir", f"{new}.dataset.image_root"),
        Row(f"{old}.delimiter", f"{new}.dataset.delimiter"),
        Row(f"{old}.transforms", f"{new}.dataset.transform_ops", operations),
        Row(f"{old}.batch_size", f"{new}.sampler.batch_size", per_process),
        Row(f"{old}.num_workers", f"{new}.loader.num_workers"),
    )


# In the order in which a file's keys are translated.
ROWS = (
    Row("mode", "", nothing("write train or valid, the command decides", "train", "valid")),
    Row("epochs", "Global.epochs"),
    Row("checkpoints", "Global.checkpoints", path),
    Row("pretrained_model", "Global.pretrained_model", path),
    Row("last_epoch", "", last_epoch),
    Row("load_static_weights", "", nothing(
        "weights of a static graph (a folder with a file a parameter) are not read here; save them as one .pdparams "
        "file and write false", False,
    )),
    Row("model_save_dir", "Global.output_dir"),
    Row("save_interval", "Global.save_interval"),
    Row("validate", "Global.eval_during_train"),
    Row("valid_interval", "Global.eval_interval"),
    Row("print_interval", "Global.print_batch_step"),
    Row("image_shape", "Global.image_shape"),
    Row("use_gpu", "Global.device", device),
    Row("TRAIN.shuffle_seed", "Global.seed"),
    Row("ARCHITECTURE.name", "Arch.name"),
    Row("ARCHITECTURE.params.*", "Arch.*"),
    Row("ARCHITECTURE.*", "Arch.*"),
    Row("classes_num", "Arch.class_num"),
    Row("LEARNING_RATE.function", "Optimizer.lr.name", schedule),
    Row("LEARNING_RATE.params.lr", "Optimizer.lr.learning_rate"),
    Row("LEARNING_RATE.params.steps", "", nothing("remove it, the rate falls until the last epoch")),
    Row("LEARNING_RATE.params.*", "Optimizer.lr.*"),
    Row("OPTIMIZER.function", "Optimizer.name"),
    Row("OPTIMIZER.params.*", "Optimizer.*"),
    Row("OPTIMIZER.regularizer.function", "Optimizer.regularizer.name"),
    Row("OPTIMIZER.regularizer.factor", "Optimizer.regularizer.coeff"),
    *_reader("TRAIN", "DataLoader.Train"),
    Row("TRAIN.mix", MIXING),
    Row("VALID.mix", "", nothing("pictures are not mixed in evaluation; remove it", [])),
    Row("use_mix", MIXING, use_mix),
    *_reader("VALID", "DataLoader.Eval"),
    Row("VALID.shuffle_seed", "", any_number("remove it, evaluation keeps the order of the list")),
    Row("ls_epsilon", "Loss.Train.CELoss.epsilon", smoothing),
    Row("topk", "Metric.Eval.TopkAcc.topk", accuracies),
    Row("total_images", "", any_number("remove it, the pictures of the list are counted")),
    Row("use_distillation", "", _DISTILLATION),
    Row("multilabel", "", nothing("only single-label classification is supported here; remove it", False)),
    Row("is_distributed", "", nothing("remove it, paddle.distributed.launch decides", False, True)),
    Row("use_dali", "", nothing("DALI is not supported here; remove it", False)),
    Row("use_aa", "", nothing("write the augmentation among the transforms", False)),
    Row("use_xpu", "", _OTHER_DEVICE),
    Row("use_npu", "", _OTHER_DEVICE),
    Row("use_ema", "EMA", average),
    Row("ema_decay", "EMA.decay", if_averaged),
    Row("use_fp16", "AMP.use_amp", switch),
    Row("use_pure_fp16", "AMP.level", pure_half_precision),
    Row("amp_scale_loss", "AMP.scale_loss", if_mixed),
    Row("use_dynamic_loss_scaling", "AMP.use_dynamic_loss_scaling", if_mixed),
)  # fmt: skip
_BY_PATH = {tuple(row.old.split(".")): row for row in ROWS}
_PLACES = {row: place for place, row in enumerate(ROWS)}
TOP = frozenset(path[0] for path in _BY_PATH)  # the old keys at the top of a file
Path = tuple[str, ...]


def is_above(path: Path) -> bool:
    """Whether there are rows for keys below this one, which is a mapping then."""
    return any(len(old) > len(path) and old[: len(path)] == path for old in _BY_PATH)


def has_row(path: Path) -> bool:
    """Whether there is a row for the parts of an old key."""
    return path in _BY_PATH or (not is_above(path) and (*path[:-1], "*") in _BY_PATH)


def row_of(path: Path) -> Row:
    """The row of an old key that has one."""
    any_name = (*path[:-1], "*")
    return _BY_PATH[path if path in _BY_PATH else any_name]


def place_of(path: Path) -> int:
    """The position of the key's translation."""
    return _PLACES[row_of(path)]


def new_key(path: Path) -> Path:
    """The parts of the new key; empty if none is needed."""
    new = row_of(path).new
    if not new:
        return ()
    return tuple(path[-1] if part == "*" else part for part in new.split("."))


def names_in(path: Path) -> list[str]:
    """The old keys that may stand in a mapping."""
    names = {}  # in the order of the rows
    for old in _BY_PATH:
        if len(old) > len(path) and old[: len(path)] == path:
            names[old[len(path)]] = True
    return list(names)
