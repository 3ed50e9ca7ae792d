"""Plots of docs/models: published latency against parameters and FLOPs, and accuracy against latency."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, TYPE_CHECKING

from model_pages_tables import Models

from ppcls.arch.model_table import LATENCIES, LATENCY_BATCHES, ModelInfo
from ppcls.benchmark import plot
from ppcls.benchmark.plot import AccuracyPoint, Point

if TYPE_CHECKING:
    import os

Axis = Callable[[ModelInfo], float | None]
AXES: dict[str, Axis] = {
    "trainable parameters (M)": lambda info: (
        info.trainable_params and info.trainable_params / 1e6
    ),
    "FLOPs = 2 x MACs (G)": lambda info: info.flops and info.flops / 1e9,
}


def points(models: Models, kind: str, axis: str) -> list[Point]:
    """Return the points of one kind of latency (`T4 FP16`) over an axis of `AXES`, without unknown numbers."""
    found = []
    for info in models:
        x, latency = AXES[axis](info), LATENCIES[kind](info)
        if x is not None and latency is not None:
            found.append(Point(info.name, x, latency))
    return found


def accuracies(models: Models, kind: str) -> list[AccuracyPoint]:
    """Return latency at batch 1 in milliseconds and PaddleClas's top-1 in percent."""
    found = []
    for info in models:
        latency = LATENCIES[kind](info)
        published = info.published.get("paddleclas")
        if latency and published and published.top1 is not None:
            found.append(AccuracyPoint(info.name, latency[0], published.top1))
    return found


def draw(models: Models, kind: str, file: str | os.PathLike[str] | IO[bytes]) -> None:
    """Write a PNG of 800 x 1000 pixels: latency over each of `AXES`, and accuracy over latency."""
    by_size = {axis: points(models, kind, axis) for axis in AXES}
    plot.draw(
        kind.replace(" ", ", TensorRT "),
        LATENCY_BATCHES,
        by_size,
        accuracies(models, kind),
        file,
    )
