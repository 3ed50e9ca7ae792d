"""Fill a latency sheet: measure the cases that it lacks, one model after another.

The sheet is also plotted: a picture for each backend and precision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ppcls.analysis.figures import require_matplotlib
from ppcls.benchmark.latency import LatencyCase, measure_latency
from ppcls.benchmark.latency_sheet import LatencySheet
from ppcls.benchmark.latency_targets import Target
from ppcls.benchmark.machine import MachineInfo
from ppcls.benchmark.plot import AccuracyPoint, Point, draw
from ppcls.benchmark.published import model_facts
from ppcls.benchmark.timing import Plan
from ppcls.inference.settings import Settings
from ppcls.utils.errors import Unavailable, UserError
from ppcls.utils.files import PathLike


def open_sheet(
    folder: PathLike | None,
    machine: MachineInfo,
    settings: Settings,
    plan: Plan,
    notes: Sequence[str] = (),
) -> LatencySheet:
    """A sheet for measurements of this kind, with the rows that an earlier run left in the folder.

    Args:
        folder: Where the sheet is written; None writes nothing.
        machine: The machine, for the heading.
        settings: Device and threads, for the heading.
        plan: How much is measured, for the heading.
        notes: Paragraphs below the tables.

    Raises:
        UserError: The rows there are of another machine or method, or the file is not a sheet's.
    """
    heading = {"machine": str(machine), "device": settings.device}
    if settings.device == "cpu":
        heading["threads"] = str(settings.threads or "all cores")
    heading["method"] = str(plan)
    return LatencySheet(folder, heading, model_facts(), notes)


def fill_latency_sheet(
    sheet: LatencySheet,
    targets: Sequence[Target],
    cases: Sequence[LatencyCase],
    settings: Settings,
    plan: Plan,
    report: Callable[[str], None],
) -> None:
    """Measure what the sheet lacks; the sheet is written after each model.

    Args:
        sheet: Gets the rows.
        targets: The models.
        cases: Backends, precisions and batch sizes.
        settings: Device and threads.
        plan: How much is measured.
        report: Gets a line for each model.

    Raises:
        UserError: Nothing could be measured.
    """
    for place, target in enumerate(targets, 1):
        sheet.drop_outdated(target.name, target.digest_of)
        missing = sheet.missing(target.name, cases)
        if missing:
            with target.open() as (bundle, open_it):
                rows = measure_latency(
                    target.name, bundle, missing, settings, plan, open_it
                )
            digested = []
            for row in rows:
                digested.append(replace(row, form_digest=target.digest_of(row.case)))
            sheet.add(*digested)
        done = "measured" if missing else "was measured before"
        report(f"{target.name}: {done} ({place} of {len(targets)})")
    if sheet.is_empty:
        raise UserError(f"nothing could be measured: {sheet.rows[0].reason}")


def write_with_plots(
    sheet: LatencySheet, folder: PathLike, device: str, report: Callable[[str], None]
) -> list[Path]:
    """Write the tables, and plots where matplotlib is installed; return the paths.

    Args:
        sheet: The rows.
        folder: Where the plots go.
        device: The device's name, for the plots.
        report: Gets a line if there are no plots.
    """
    files = sheet.write()
    try:
        require_matplotlib()
    except Unavailable as error:
        report(f"no plots: {error}")
        return files
    return files + write_plots(sheet, folder, device)


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
