"""Rows of the tables of docs/models, from the model table, the weights table and the shipped configurations.

Only rows are made here. The headers, with their units, are in the text of each language.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ppcls.arch.model_table import LATENCIES, ModelInfo, Published
from ppcls.arch.weights.sources import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Preprocessing,
    PretrainedWeights,
    weights_of,
)
from ppcls.config import find_config, shipped_configs
from ppcls.config.merge import read_tree
from ppcls.untrusted.yaml_nodes import Problems

Models = Sequence[ModelInfo]


def rows(lines: Iterable[Sequence[object]]) -> str:
    """Return lines of a Markdown table; None is an empty cell."""
    written = []
    for line in lines:
        cells = ["" if cell is None else str(cell) for cell in line]
        written.append(f"| {' | '.join(cells)} |")
    return "\n".join(written)


def accuracy_rows(models: Models, sources: Sequence[str]) -> str:
    """Return model, input size, short side before the crop, then top-1 and top-5 of each source, in percent."""
    lines: list[list[object]] = []
    for info in models:
        size = "x".join(str(side) for side in info.input_size[1:])
        line: list[object] = [info.name, size, info.resize_short]
        for source in sources:
            published = _published(info, source)
            line += [percent(published.top1), percent(published.top5)]
        lines.append(line)
    return rows(lines)


def size_rows(models: Models, sources: Sequence[str]) -> str:
    """Return model, our parameters (M), MACs and FLOPs (G), then each source's printed parameters and FLOPs."""
    lines: list[list[object]] = []
    for info in models:
        line: list[object] = [info.name]
        line.append(thousandths(info.trainable_params, 1e6))
        line.append(thousandths(info.macs, 1e9))
        line.append(thousandths(info.flops, 1e9))
        for source in sources:
            published = _published(info, source)
            line += [published.params_m, published.flops_g]
        lines.append(line)
    return rows(lines)


def latency_rows(models: Models, kinds: Sequence[str]) -> str:
    """Return model, then its latencies in ms at batch 1, 4 and 8 of each kind, for models that have some."""
    lines: list[list[object]] = []
    for info in models:
        line: list[object] = [info.name]
        for kind in kinds:
            line += LATENCIES[kind](info) or (None, None, None)
        if any(line[1:]):
            lines.append(line)
    return rows(lines)


def weights_rows(models: Models) -> str:
    """Return model, source, top-1, top-5, resize and crop, resampling, normalization, arguments, licence, file."""
    return rows(
        [
            row.model,
            f"`{row.source}`",
            percent(row.top1),
            percent(row.top5),
            f"{row.preprocessing.resize_short} / {row.preprocessing.size}",
            f"{row.preprocessing.interpolation}, {row.preprocessing.backend}",
            normalization(row.preprocessing),
            ", ".join(
                f"`{key}: {json.dumps(value)}`" for key, value in row.arguments.items()
            ),
            row.licence,
            _file(row),
        ]
        for info in models
        for row in weights_of(info.name)
    )


def recipe_rows(models: Models) -> str:
    """Return one line per shipped configuration with its training settings."""
    trees = {file: _tree(file) for file in shipped_configs().values()}
    lines = []
    for info in models:
        for file, tree in trees.items():
            # This leaves out configs/demo
            if (file.parent.name, tree["Arch"]["name"]) == (info.family, info.name):
                lines.append(_recipe(file.stem, tree))
    return rows(lines)


def config_path(name: str) -> str:
    """Return `configs/DLA/DLA34.yaml`, in any working directory."""
    return "/".join(find_config(name).resolve().parts[-3:])


def percent(value: float | None) -> str | None:
    """Return a number with two decimals, or with three if the source has three."""
    if value is None:
        return None
    if round(value, 2) == value:
        return f"{value:.2f}"
    return f"{value:.3f}"


def thousandths(value: float | None, unit: float) -> str | None:
    """Return a number in a unit, with three decimals."""
    return None if value is None else f"{value / unit:.3f}"


def normalization(preprocessing: Preprocessing) -> str:
    """Return `ImageNet`, or mean and standard deviation per channel."""
    if (preprocessing.mean, preprocessing.std) == (IMAGENET_MEAN, IMAGENET_STD):
        return "ImageNet"
    mean = ", ".join(f"{value:.3g}" for value in preprocessing.mean)
    std = ", ".join(f"{value:.3g}" for value in preprocessing.std)
    return f"({mean}) / ({std})"


def _published(info: ModelInfo, source: str) -> Published:
    return info.published.get(source, Published())


def _file(row: PretrainedWeights) -> str:
    return f"[{row.url.rsplit('/', 1)[-1]}]({row.url})"


def _tree(file: Path) -> dict[str, Any]:
    problems = Problems()
    tree = read_tree(file, problems)
    problems.raise_if_any()
    assert tree is not None
    return tree.plain()


def _recipe(name: str, tree: dict[str, Any]) -> list[object]:
    run, optimizer, train = (
        tree["Global"],
        tree["Optimizer"],
        tree["DataLoader"]["Train"],
    )
    lr = optimizer["lr"]
    smoothing = tree["Loss"]["Train"][0]["CELoss"].get("epsilon")
    return [
        f"[{name}](../../{config_path(name)})",
        run["epochs"],
        run["global_batch"],
        lr["learning_rate"],
        _schedule(lr),
        f"{optimizer['momentum']}, {optimizer['regularizer']['coeff']}",
        ", ".join(_augmentation(train["dataset"])),
        smoothing,
    ]


def _schedule(lr: dict[str, Any]) -> str:
    if lr["name"] == "Piecewise":
        epochs = ", ".join(str(epoch) for epoch in lr["decay_epochs"])
        return f"`Piecewise`: x {lr['gamma']} @ {epochs}"
    if "warmup_epoch" in lr:
        return f"`{lr['name']}`, `warmup_epoch` {lr['warmup_epoch']}"
    return f"`{lr['name']}`"


def _augmentation(dataset: dict[str, Any]) -> Iterable[str]:
    for operation in (
        *dataset["transform_ops"],
        *dataset.get("batch_transform_ops", ()),
    ):
        ((kind, settings),) = operation.items()
        if kind == "RandCropImage":
            yield f"`{kind}` {settings['size']} {settings.get('interpolation', '')}".rstrip()
        elif kind == "Mixup":
            yield f"`{kind}` {settings['alpha']}"
        elif kind.startswith("Rand"):
            yield f"`{kind}`"
