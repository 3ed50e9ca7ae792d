"""What is drawn of a sheet of latencies: a picture for each engine and precision."""

from __future__ import annotations

from pathlib import Path

from ppcls.benchmark.plot import Point, draw
from ppcls.benchmark.sheet import NAME, Sheet
from ppcls.utils.files import PathLike


def write_plots(sheet: Sheet, folder: PathLike, device: str) -> list[Path]:
    """Writes `latency_ENGINE_PRECISION.png` for each that has a model to draw; returns their paths."""
    files = []
    for backend, precision in sheet.engines():
        by_size, accuracies = points(sheet, backend, precision)
        if any(by_size.values()):
            files.append(Path(folder) / f"{NAME}_{backend}_{precision}.png")
            draw(
                f"{device}, {backend}, {precision}",
                sheet.batches(),
                by_size,
                accuracies,
                files[-1],
            )
    return files


def points(
    sheet: Sheet, backend: str, precision: str
) -> tuple[dict[str, list[Point]], list[tuple[str, float, float]]]:
    """Models over their parameters and FLOPs, and their latency at the smallest batch with their accuracy.

    A model of which nothing is known, or that was not measured at every batch size, has no place there.
    """
    batches = sheet.batches()
    latencies: dict[str, dict[int, float]] = {}
    for row in sheet.rows:
        if (row.backend, row.precision) == (
            backend,
            precision,
        ) and row.median_ms is not None:
            latencies.setdefault(row.model, {})[row.batch] = row.median_ms
    drawn = {
        model: [of[batch] for batch in batches]
        for model, of in latencies.items()
        if model in sheet.facts and sorted(of) == batches
    }
    facts = {model: sheet.facts[model] for model in drawn}
    by_size = {
        "trainable parameters (M)": [
            Point(model, facts[model].params_m, of) for model, of in drawn.items()
        ],
        "FLOPs = 2 x MACs (G)": [
            Point(model, facts[model].flops_g, of) for model, of in drawn.items()
        ],
    }
    accuracies = [
        (model, of[0], top1)
        for model, of in drawn.items()
        if (top1 := facts[model].top1) is not None
    ]
    return by_size, accuracies
