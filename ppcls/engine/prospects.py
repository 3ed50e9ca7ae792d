"""Warnings about a training that cannot succeed as it is configured, before its first step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ppcls.config import Config
from ppcls.data.labels import ImageList
from ppcls.engine import build
from ppcls.engine.finetune import batch_size
from ppcls.engine.trainer import groups

_FEW_STEPS = 2
# Few pictures give few steps with any batch; a smaller one than this would be too noisy
_SMALL_BATCH = 8
_FEW_PICTURES = 5000
_SHOWN = 5


def warnings_about(
    config: Config, pictures: build.Pictures, steps: int, has_weights: bool
) -> list[str]:
    """One sentence for each setting that keeps a training from succeeding: the key, its value and the remedy.

    Args:
        config: The configuration, completed by the weights.
        pictures: Those of DataLoader.Train.
        steps: Batches in an epoch.
        has_weights: Whether the training begins with weights, or resumes a run.
    """
    assert config.DataLoader.Train is not None  # load_config requires it for a training
    # Missing classes of class folders have been reported already
    is_list = hasattr(config.DataLoader.Train.dataset, "cls_label_path")
    found = [
        *_of_classes(config.Arch.class_num, pictures if is_list else None),
        *_of_steps(config, len(pictures), groups(steps, config.Global.update_freq)),
        *_of_warmup(config, groups(steps, config.Global.update_freq)),
        *_of_shape(config),
    ]
    if not has_weights:
        found += _of_rate(config, len(pictures))
    return found


def _of_classes(class_num: int, pictures: build.Pictures | None) -> Iterator[str]:
    if class_num == 1:
        yield (
            "Arch.class_num: 1 is a single class, so every answer is right and nothing is learnt; write the number of "
            "classes, and give pictures of each"
        )
        return
    # The labels of shards are known only after reading them
    if not isinstance(pictures, ImageList):
        return
    used = np.unique(pictures.labels)
    if len(used) == class_num:
        return
    if len(used) == 1:
        yield (
            f"Arch.class_num: {class_num}, but all pictures of DataLoader.Train are of one class, "
            f"{_named(pictures, used[0])}, so nothing is learnt; add pictures of the others"
        )
        return
    begin = f"Arch.class_num: {class_num}, but the pictures of DataLoader.Train are of {len(used)} classes only"
    is_row = used[0] in (0, 1) and used[-1] - used[0] + 1 == len(used)
    # Labels from 1 to class_num are understood as such
    if is_row and pictures.class_names is None:
        yield f"{begin}, {used[0]} to {used[-1]}; write Arch.class_num: {len(used)}, or add pictures of the others"
        return
    lacking = np.setdiff1d(np.arange(class_num), used).tolist()
    names = [_named(pictures, label) for label in lacking[:_SHOWN]]
    more = ", ..." if len(lacking) > _SHOWN else ""
    yield f"{begin}; add pictures of the others ({', '.join(names)}{more}), or leave these out of the classes"


def _named(pictures: ImageList, label: int) -> str:
    if pictures.class_names:
        return pictures.class_names[label]
    return str(label)


def _of_steps(config: Config, pictures: int, steps: int) -> Iterator[str]:
    """An epoch of very few steps, where smaller batches would give more."""
    batch = build.global_batch(config)
    if steps > _FEW_STEPS or batch <= _SMALL_BATCH:
        return
    assert config.DataLoader.Train is not None
    own, group = config.DataLoader.Train.sampler.batch_size, config.Global.update_freq
    better = max(1, batch_size(pictures) // (batch // own))
    count = "1 step" if steps == 1 else f"{steps} steps"
    if group > 1:
        group = max(1, batch_size(pictures) // (batch // group))
        remedy = f"write Global.update_freq: {group}, and a lower learning rate with it"
    elif better < own:
        remedy = f"write DataLoader.Train.sampler.batch_size: {better}, and a lower learning rate with it"
    else:
        remedy = "lower the number of processes, and the learning rate with it"
    yield (
        f"DataLoader.Train.sampler.batch_size: {own} makes an epoch of {count} of {pictures:,} pictures, too few to "
        f"learn from; {remedy}"
    )


def _of_warmup(config: Config, steps: int) -> Iterator[str]:
    schedule = _schedule(config)
    total = steps * config.Global.epochs
    warmup = schedule.warmup_steps or round(schedule.warmup_epoch * steps)
    if not warmup or warmup < total:
        return
    key = "warmup_steps" if schedule.warmup_steps else "warmup_epoch"
    yield (
        f"Optimizer.lr.{key}: {getattr(schedule, key):g} is as long as the training or longer (Global.epochs: "
        f"{config.Global.epochs}, {total:,} steps), so the learning rate never gets to its full value; write less, or "
        "more epochs"
    )


def _of_rate(config: Config, pictures: int) -> Iterator[str]:
    """The rate of a recipe for large batches, with small ones and few pictures, from initial weights."""
    recorded, actual, schedule = (
        config.Global.global_batch,
        build.global_batch(config),
        _schedule(config),
    )
    if (
        recorded is None
        or actual >= recorded
        or schedule.scale is not None
        or pictures >= _FEW_PICTURES
    ):
        return
    rate = schedule.learning_rate
    key = f"Optimizer.lr.learning_rate: {rate:g}"
    if rate is None:
        key = "Optimizer.lr.values"
    yield (
        f"{key} is for batches of {recorded} (Global.global_batch), but this training has batches of {actual} and "
        f"begins without weights, with {pictures:,} pictures; begin with weights (Arch.pretrained: true), or write "
        "Optimizer.lr.scale: linear"
    )


def _of_shape(config: Config) -> Iterator[str]:
    """An exported input that is not what evaluation gives the model."""
    if config.DataLoader.Eval is None:
        return
    size, stated = build.eval_pipeline(config).output_size, config.Global.image_shape
    if size is not None and tuple(size) != tuple(stated):
        yield (
            f"Global.image_shape: {list(stated)}, but the transforms of DataLoader.Eval give {list(size)}, so the "
            f"trained model could not be exported; write Global.image_shape: {list(size)}"
        )


def _schedule(config: Config) -> Any:
    assert config.Optimizer is not None  # load_config requires it for a training
    return config.Optimizer.lr
