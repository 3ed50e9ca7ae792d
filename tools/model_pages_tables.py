"""Rows of the tables of docs/models: of the model table, of the weights table, and of the shipped configurations.

Only rows are made here; the headers, with their units, stand in each language's text.
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
    """Lines of a Markdown table; None is an empty cell."""
    cells = ([("" if cell is None else str(cell)) for cell in line] for line in lines)
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


def accuracy_rows(models: Models, sources: Sequence[str]) -> str:
    """Model, input size, short side before the crop, then top-1 and top-5 of each source, in percent."""
    return rows(
        [
            info.name,
            "x".join(map(str, info.input_size[1:])),
            info.resize_short,
            *(
                percent(value)
                for source in sources
                for value in (_said(info, source).top1, _said(info, source).top5)
            ),
        ]
        for info in models
    )


def size_rows(models: Models, sources: Sequence[str]) -> str:
    """Model, ours (parameters in M, MACs and FLOPs in G), then each source's printed parameters and FLOPs."""
    return rows(
        [
            info.name,
            thousandths(info.trainable_params and info.trainable_params / 1e6),
            thousandths(info.macs and info.macs / 1e9),
            thousandths(info.flops and info.flops / 1e9),
            *(
                value
                for source in sources
                for value in (_said(info, source).params_m, _said(info, source).flops_g)
            ),
        ]
        for info in models
    )


def latency_rows(models: Models, kinds: Sequence[str]) -> str:
    """Model, then its latencies in milliseconds at batch 1, 4 and 8 of each kind; models without any are left out."""
    found = {info.name: [LATENCIES[kind](info) for kind in kinds] for info in models}
    return rows(
        [name, *(value for triple in triples for value in triple or (None, None, None))]
        for name, triples in found.items()
        if any(triples)
    )


def weights_rows(models: Models) -> str:
    """Model, source, top-1, top-5, resize and crop, resampling, normalization, arguments, licence, file."""
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
    """A line a shipped configuration: what it trains with. Names are those that a configuration has."""
    trees = {
        file.stem: (file.parent.name, _tree(file))
        for file in shipped_configs().values()
    }
    return rows(
        _recipe(name, tree)
        for info in models
        for name, (folder, tree) in trees.items()
        # Configs/demo is another matter
        if (folder, tree["Arch"]["name"]) == (info.family, info.name)
    )


def config_path(name: str) -> str:
    """`configs/DLA/DLA34.yaml`, whatever the working directory is."""
    return "/".join(find_config(name).resolve().parts[-3:])


def percent(value: float | None) -> str | None:
    """Two digits behind the point, and a third where the source prints one."""
    return (
        None
        if value is None
        else f"{value:.2f}"
        if round(value, 2) == value
        else f"{value:.3f}"
    )


def thousandths(value: float | None) -> str | None:
    """Three digits behind the point."""
    return None if value is None else f"{value:.3f}"


def normalization(preprocessing: Preprocessing) -> str:
    """`ImageNet`, or mean and standard deviation a channel."""
    if (preprocessing.mean, preprocessing.std) == (IMAGENET_MEAN, IMAGENET_STD):
        return "ImageNet"
    mean, std = (
        ", ".join(f"{value:.3g}" for value in triple)
        for triple in (preprocessing.mean, preprocessing.std)
    )
    return f"({mean}) / ({std})"


def _said(info: ModelInfo, source: str) -> Published:
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
        return (
            f"`Piecewise`: x {lr['gamma']} @ {', '.join(map(str, lr['decay_epochs']))}"
        )
    return f"`{lr['name']}`" + (
        f", `warmup_epoch` {lr['warmup_epoch']}" if "warmup_epoch" in lr else ""
    )


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
