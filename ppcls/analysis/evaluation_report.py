"""The report of an evaluation: a page to look at, and the same figures as tables for programs.

report.html          the page, in one file
metrics.json         accuracies, averages over classes, calibration
pictures.csv         one row per picture: its true class, its predicted one, their probabilities
classes.csv          precision, recall, F1 and pictures of each class
confusion.csv        the confusion matrix, rows are true classes (up to 2,000 classes), and confusion.png
confused.csv         the pairs of classes that are confused, the most frequent first
label_errors.csv     pictures whose label is likely wrong
reliability.png      confidence against accuracy
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import ppcls
from ppcls.analysis.evaluation import Evaluation
from ppcls.analysis.evaluation_page import drawings_of, page_of
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import PathLike, make_folders, write_atomically

PAGE_FILE, METRICS_FILE = "report.html", "metrics.json"
_KIND = "ppcls evaluation"
_FILES = (
    PAGE_FILE,
    METRICS_FILE,
    "pictures.csv",
    "classes.csv",
    "confusion.csv",
    "confusion.png",
    "confused.csv",
    "label_errors.csv",
    "reliability.png",
)


def require_report_place(folder: Path) -> None:
    """Check, before the work, that writing a report replaces nothing but an earlier report.

    Raises:
        UserError: The place is a file, or has a file of the report's names that is not of a report.
    """
    expect(
        not folder.exists() or folder.is_dir(),
        f"{folder} is a file, and a report is a folder of files; give another place",
    )
    taken = [name for name in _FILES if (folder / name).exists()]
    if taken and not _holds_report(folder):
        raise UserError(
            f"{folder} has a {taken[0]} that is not of an evaluation's report; give another folder, or remove it"
        )


def remove_report(folder: Path) -> None:
    """Delete a report and no other file; the folder goes if nothing else is in it."""
    if not _holds_report(folder):
        return
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # something else is there
        folder.rmdir()


def _holds_report(folder: Path) -> bool:
    try:
        metrics = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(metrics, dict) and metrics.get("written_by") == _KIND


def read_temperature(given: float | str | PathLike) -> float:
    """Return a temperature that is given as a number or by the report that proposes it.

    Args:
        given: A number above 0, a report's folder, or its metrics.json.

    Raises:
        UserError: It is none of these.
    """
    number = _number(given)
    if number is not None:
        expect(
            0 < number < math.inf,
            f"the temperature is {given}; write a number above 0, or the folder of a report",
        )
        return number
    place = Path(str(given))
    file = place / METRICS_FILE if place.is_dir() else place
    try:
        temperature = json.loads(file.read_text(encoding="utf-8"))["temperature"]
        number = float(temperature)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{place} is not a report of `ppcls eval --report` with a temperature; give its folder, or a number"
        ) from error
    expect(
        0 < number < math.inf,
        f"{file}: the temperature is {number}; evaluate with --report again",
    )
    return number


def _number(given: object) -> float | None:
    try:
        return float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def write_report(
    evaluation: Evaluation,
    folder: Path,
    read_pixels: Callable[[str], np.ndarray | None],
) -> Path:
    """Write every file of a report.

    Args:
        evaluation: What was measured.
        folder: Where to; an earlier report there is replaced. metrics.json comes first, by which it is known as ours.
        read_pixels: Gives the pixels of a picture, uint8 [H, W, 3] in RGB, or None where it cannot.

    Returns:
        The page.

    Raises:
        Unavailable: matplotlib is not installed.
        UserError: See `require_report_place`.
    """
    require_report_place(folder)
    make_folders(folder)
    # First, because it fails without matplotlib, and then nothing is written
    drawings = drawings_of(evaluation)
    tables = {
        "pictures.csv": _picture_rows(evaluation),
        "classes.csv": _class_rows(evaluation),
        "confused.csv": _confused_rows(evaluation),
        "label_errors.csv": _label_error_rows(evaluation),
    }
    origin = {"written_by": _KIND, "version": ppcls.__version__}
    metrics = json.dumps(
        {**origin, **evaluation.metrics()}, indent=2, ensure_ascii=False
    )
    _write(folder / METRICS_FILE, metrics.encode("utf-8", "surrogateescape"))
    for name, rows in tables.items():
        _write(folder / name, _csv_of(rows))
    if drawings.confusion:
        _write(folder / "confusion.csv", _csv_of(_matrix_rows(evaluation)))
        _write(folder / "confusion.png", drawings.confusion)
    _write(folder / "reliability.png", drawings.reliability)
    page = page_of(evaluation, drawings, read_pixels)
    page.write(folder / PAGE_FILE)
    return folder / PAGE_FILE


def _write(path: Path, content: bytes) -> None:
    # The whole can be written again, so nothing waits for the disk
    write_atomically(path, content, sync=False)


def _csv_of(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def _picture_rows(evaluation: Evaluation) -> Iterable[Sequence[Any]]:
    scored = evaluation.scored
    yield (
        "picture",
        "label",
        "label_name",
        "predicted",
        "predicted_name",
        "right",
        "score",
        "label_score",
        "label_rank",
        "loss",
        "error",
    )
    for index, picture in enumerate(scored.pictures):
        label, predicted = int(scored.labels[index]), int(scored.predicted[index])
        yield (
            picture,
            label,
            scored.name_of(label),
            predicted,
            scored.name_of(predicted),
            int(scored.is_right[index]),
            _short(scored.confidence[index]),
            _short(scored.label_probability[index]),
            int(scored.rank[index]) + 1,
            _short(scored.loss[index]),
            "",
        )
    for picture, reason in evaluation.failures.items():
        yield (picture, *[""] * 9, reason)


def _class_rows(evaluation: Evaluation) -> Iterable[Sequence[Any]]:
    figures = evaluation.by_class
    yield "class_id", "name", "precision", "recall", "f1", "support"
    for class_id in range(figures.classes):
        yield (
            class_id,
            evaluation.scored.name_of(class_id),
            _short(figures.precision[class_id]),
            _short(figures.recall[class_id]),
            _short(figures.f1[class_id]),
            int(figures.support[class_id]),
        )


def _matrix_rows(evaluation: Evaluation) -> Iterable[Sequence[Any]]:
    name_of, classes = evaluation.scored.name_of, evaluation.scored.classes
    yield ["label", *map(name_of, range(classes))]
    for label, row in enumerate(evaluation.by_class.matrix.tolist()):
        yield [name_of(label), *row]


def _confused_rows(evaluation: Evaluation) -> Iterable[Sequence[Any]]:
    name_of = evaluation.scored.name_of
    yield (
        "label",
        "label_name",
        "predicted",
        "predicted_name",
        "pictures",
        "share_of_label",
    )
    for pair in evaluation.confusions:
        yield (
            pair.label,
            name_of(pair.label),
            pair.predicted,
            name_of(pair.predicted),
            pair.count,
            _short(pair.share),
        )


def _label_error_rows(evaluation: Evaluation) -> Iterable[Sequence[Any]]:
    scored = evaluation.scored
    yield (
        "picture",
        "label",
        "label_name",
        "suggested",
        "suggested_name",
        "label_score",
        "margin",
    )
    for suspect in evaluation.label_errors:
        label = int(scored.labels[suspect.index])
        yield (
            scored.pictures[suspect.index],
            label,
            scored.name_of(label),
            suspect.suggested,
            scored.name_of(suspect.suggested),
            _short(scored.label_probability[suspect.index]),
            _short(suspect.margin),
        )


def _short(value: float) -> str:
    return f"{value:.6g}"
