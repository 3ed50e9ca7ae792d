"""Plots of docs/models: published latency against parameters and FLOPs, and accuracy against latency."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, TYPE_CHECKING

from model_pages_tables import Models

from ppcls.arch.model_table import LATENCIES, LATENCY_BATCHES, ModelInfo
from ppcls.benchmark import plot
from ppcls.benchmark.plot import Point

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
    """What is drawn of one kind of latency (`T4 FP16`) over an axis of `AXES`; unknown numbers are left out."""
    found = [(info.name, AXES[axis](info), LATENCIES[kind](info)) for info in models]
    return [
        Point(name, x, latency)
        for name, x, latency in found
        if x is not None and latency is not None
    ]


def accuracies(models: Models, kind: str) -> list[tuple[str, float, float]]:
    """Name, latency at batch 1 in milliseconds, and PaddleClas's top-1 in percent."""
    found = [
        (info.name, LATENCIES[kind](info), info.published.get("paddleclas"))
        for info in models
    ]
    return [
        (name, ms[0], said.top1)
        for name, ms, said in found
        if ms and said and said.top1 is not None
    ]


def draw(models: Models, kind: str, file: str | os.PathLike[str] | IO[bytes]) -> None:
    """Writes a PNG of 800 x 1000 pixels: latency over each of `AXES`, and accuracy over latency."""
    by_size = {axis: points(models, kind, axis) for axis in AXES}
    plot.draw(
        kind.replace(" ", ", TensorRT "),
        LATENCY_BATCHES,
        by_size,
        accuracies(models, kind),
        file,
    )
