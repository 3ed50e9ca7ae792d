"""`curves.png` and `report.html` in the folder of a run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from ppcls.analysis import curves
from ppcls.analysis.evaluation import Evaluation
from ppcls.analysis.evaluation_page import ReadPixels
from ppcls.analysis.evaluation_report import PAGE_FILE, write_report
from ppcls.analysis.figures import write_png
from ppcls.analysis.history import (
    CONFIG_FILE,
    CURVES_FILE,
    EVALUATION_FOLDER,
    LOG_FILE,
    REPORT_FILE,
    History,
)
from ppcls.analysis.page import Html, Page
from ppcls.analysis.runs import Run, open_run
from ppcls.utils.errors import Unavailable


def write_best_report(
    evaluation: Evaluation, folder: Path, read_pixels: ReadPixels
) -> Path:
    """Write the report of the best weights into the folder of a run, and return its page; see `write_report`."""
    return write_report(evaluation, folder / EVALUATION_FOLDER, read_pixels)


def write_run_report(folder: Path) -> None:
    """Write or replace both files; without matplotlib only the page, which has the numbers alone.

    Args:
        folder: The folder of a run whose log has an epoch.
    """
    run = open_run(folder)
    if not run.history.epochs:
        return
    page = Page(f"Training of {run.model or folder.name}", _lead(run))
    page.facts(_facts(run))
    evaluated = f"{EVALUATION_FOLDER}/{PAGE_FILE}"
    if (folder / evaluated).is_file():
        link = f'<p><a href="{evaluated}">What the best weights get wrong</a></p>'
        page.html(Html(link))
    page.heading("Curves")
    try:
        png, svg = curves.draw({folder.name: run.history})
    except Unavailable as error:
        page.paragraph(f"No curves are drawn: {error}", "warning")
    else:
        write_png(folder / CURVES_FILE, png)
        page.figure(svg, "Loss, accuracy, learning rate and images/s by epoch")
    page.heading("Epochs")
    header, rows = _table(run.history)
    page.table(header, rows, "Means over each epoch, the newest first")
    page.paragraph(
        f"From {LOG_FILE}; every key of the configuration is in {CONFIG_FILE} beside it.",
        "soft",
    )
    page.write(folder / REPORT_FILE)


def _lead(run: Run) -> str:
    newest = run.history.epochs[-1].ended
    when = f", as of {newest:%Y-%m-%d %H:%M}" if newest else ""
    return f"{run.data}{when}".lstrip(", ")


def _facts(run: Run) -> dict[str, object]:
    history = run.history
    newest = history.epochs[-1]
    facts: dict[str, object] = {"epoch": f"{run.done} of {run.epochs or '?'}"}
    if history.best is not None:
        metric, value, epoch = history.best
        facts[f"best {metric}"] = f"{value:.4f} (epoch {epoch})"
    for part, title in (("train", "training loss"), ("valid", "evaluation loss")):
        loss = getattr(newest, part).get("loss")
        if loss is not None:
            facts[title] = f"{loss:.4f}"
    if newest.images_per_second is not None:
        facts["images/s"] = f"{newest.images_per_second:.4g}"
    left = history.seconds_left(run.epochs)
    if left:
        facts["time left"] = str(timedelta(seconds=round(left)))
    return facts


def _table(history: History) -> tuple[list[str], list[list[int | float | str | None]]]:
    """The epochs with every metric and loss that the log has."""
    columns: list[tuple[str, str]] = []
    for part in ("train", "valid"):
        names: dict[str, None] = {}
        for epoch in history.epochs:
            names.update(dict.fromkeys(getattr(epoch, part)))
        columns += [(part, name) for name in names]
    header = ["epoch", *(f"{part} {name}" for part, name in columns)]
    header += ["learning rate", "images/s"]
    rows = []
    for epoch in reversed(history.epochs):
        row: list[int | float | str | None] = [epoch.number]
        row += [getattr(epoch, part).get(name) for part, name in columns]
        row += [epoch.learning_rate, epoch.images_per_second]
        rows.append(row)
    return header, rows
