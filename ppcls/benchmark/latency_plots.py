"""Plots of a latency sheet: a picture for each backend and precision."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ppcls.benchmark.latency_sheet import LatencySheet
from ppcls.benchmark.plot import AccuracyPoint, Point, draw
from ppcls.utils.files import PathLike


class PlotData(NamedTuple):
    """What one picture shows.

    Attributes:
        by_size: The label of a horizontal axis, and the models over it.
        accuracies: Top-1 over the latency at the smallest batch size.
    """

    by_size: dict[str, list[Point]]
    accuracies: list[AccuracyPoint]


def write_plots(sheet: LatencySheet, folder: PathLike, device: str) -> list[Path]:
    """Write `latency_BACKEND_PRECISION.png` for each that has a model to show, and return their paths.

    Args:
        sheet: The rows.
        folder: Where the files go.
        device: The device's name, for the titles.
    """
    files = []
    for backend, precision in sheet.backends():
        data = plot_data(sheet, backend, precision)
        if any(data.by_size.values()):
            file = Path(folder) / f"{sheet.NAME}_{backend}_{precision}.png"
            title = f"{device}, {backend}, {precision}"
            draw(title, sheet.batches(), data.by_size, data.accuracies, file)
            files.append(file)
    return files


def plot_data(sheet: LatencySheet, backend: str, precision: str) -> PlotData:
    """The models over their parameters and FLOPs, and their accuracies.

    A model of which nothing is known, or that was not measured at every batch size, is left out.
    """
    data = PlotData({"trainable parameters (M)": [], "FLOPs = 2 x MACs (G)": []}, [])
    by_params, by_flops = data.by_size.values()
    for model, latencies in _complete(sheet, backend, precision).items():
        facts = sheet.facts.get(model)
        if facts is None:
            continue
        by_params.append(Point(model, facts.params_m, latencies))
        by_flops.append(Point(model, facts.flops_g, latencies))
        if facts.top1 is not None:
            data.accuracies.append(AccuracyPoint(model, latencies[0], facts.top1))
    return data


def _complete(
    sheet: LatencySheet, backend: str, precision: str
) -> dict[str, list[float]]:
    """Milliseconds of the models that were measured at every batch size, in the order of the sizes."""
    batches = sheet.batches()
    complete = {}
    for model, rows in sheet.by_model(backend, precision).items():
        latencies = []
        for batch in sorted(rows):
            milliseconds = rows[batch].median_ms
            if milliseconds is not None:
                latencies.append(milliseconds)
        if len(latencies) == len(batches):
            complete[model] = latencies
    return complete
