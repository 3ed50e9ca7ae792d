"""Fill a latency sheet: measure the cases that it lacks, one model after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ppcls.analysis.figures import require_matplotlib
from ppcls.benchmark.latency import LatencyCase, measure_latency
from ppcls.benchmark.latency_plots import write_plots
from ppcls.benchmark.latency_sheet import LatencySheet
from ppcls.benchmark.latency_targets import Target
from ppcls.benchmark.machine import MachineInfo
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
