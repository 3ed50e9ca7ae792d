"""The page of an evaluation: what is confused, what is wrong, and how far the probabilities can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from ppcls.analysis.evaluation import Evaluation
from ppcls.analysis.figures import COLOURS, as_png, as_svg, figure
from ppcls.analysis.page import Html, Page, Tile
from ppcls.analysis.thumbnails import thumbnail

_SHEET, _PER_CLASS, _MOST = 24, 2, 96  # tiles
_PAIRS = 40  # rows of the table of confused classes
_NAMED_CLASSES = 40  # more names would not be legible beside a matrix
_COUNTED_CLASSES = 16  # and counts in its cells
_NAME_LENGTH = 24
_CLASS_ROWS = 5000
_MATRIX_CLASSES = 2000  # a matrix of more has millions of cells

ReadPixels = Callable[[str], np.ndarray | None]


def page_of(
    evaluation: Evaluation,
    drawings: Drawings,
    read_pixels: ReadPixels,
) -> Page:
    """Build the page of an evaluation.

    Args:
        evaluation: What was measured.
        drawings: Its figures.
        read_pixels: Gives the pixels of a picture, uint8 [H, W, 3] in RGB, or None where it cannot.
    """
    scored = evaluation.scored
    page = Page(evaluation.title, _lead(evaluation))
    page.facts(_facts(evaluation))
    present = np.flatnonzero(evaluation.by_class.support + evaluation.by_class.answers)
    page.filter(
        "Show the class", [_named(evaluation, item) for item in present.tolist()]
    )
    sheet = _Sheet(evaluation, read_pixels)
    _add_confusions(page, evaluation, drawings)
    _add_classes(page, evaluation)
    page.heading("The worst mistakes")
    worst = np.flatnonzero(~scored.is_right)
    worst = worst[np.argsort(-scored.loss[worst], kind="stable")]
    if len(worst):
        page.paragraph(
            f"{len(worst):,} pictures are wrong. Those whose true class got the lowest probability come first, with "
            "some of every class."
        )
        page.tiles(sheet.tiles(_some(worst, scored.labels)))
    else:
        page.paragraph("Every picture is right.", "good")
    page.heading("The least certain pictures")
    page.paragraph(
        "The two best classes have almost the same probability. Pictures like these teach a model most: label more of "
        "them."
    )
    order = np.argsort(scored.margin, kind="stable")
    page.tiles(sheet.tiles(_some(order[: max(_SHEET, len(order) // 4)], scored.labels)))
    _add_label_errors(page, evaluation, sheet)
    _add_calibration(page, evaluation, drawings)
    _add_unreadable(page, evaluation)
    return page


def _lead(evaluation: Evaluation) -> str:
    parts = [
        f"{len(evaluation.scored):,} pictures, {evaluation.scored.classes:,} classes"
    ]
    parts += [f"{name}: {value}" for name, value in evaluation.facts.items()]
    return "; ".join(parts)


def _facts(evaluation: Evaluation) -> dict[str, str]:
    figures = evaluation.by_class
    facts = {}
    for name, share in evaluation.topk.items():
        facts[name.replace("top", "Top-")] = percent(share)
    facts["Balanced accuracy"] = percent(figures.balanced_accuracy)
    facts["F1, mean over classes"] = f"{figures.macro.f1:.4f}"
    facts["F1, weighted by pictures"] = f"{figures.weighted.f1:.4f}"
    facts["Loss"] = f"{evaluation.scored.loss.mean():.4f}"
    facts["Calibration error"] = percent(evaluation.reliability.expected_error)
    facts["Wrong"] = f"{int((~evaluation.scored.is_right).sum()):,}"
    facts["Likely label errors"] = f"{len(evaluation.label_errors):,}"
    return facts


def _add_confusions(page: Page, evaluation: Evaluation, drawings: Drawings) -> None:
    page.heading("Which classes are confused")
    if not evaluation.confusions:
        page.paragraph("None.", "good")
        return
    if 1 < evaluation.scored.classes <= _NAMED_CLASSES:
        page.figure(
            drawings.confusion,
            "Confusion matrix: rows are true classes, columns predicted ones; the table below has the same numbers",
            "Rows are true classes, columns predicted ones; colours are shares of a row. The same numbers are in "
            "confusion.csv.",
        )
    rows, groups = [], []
    for pair in evaluation.confusions[:_PAIRS]:
        label, predicted = (
            _named(evaluation, pair.label),
            _named(evaluation, pair.predicted),
        )
        rows.append((label, predicted, pair.count, percent(pair.share)))
        groups.append((label, predicted))
    page.table(
        ("True class", "Predicted", "Pictures", "Share of the class"),
        rows,
        f"The most confused pairs of classes ({min(_PAIRS, len(evaluation.confusions))} of "
        f"{len(evaluation.confusions):,}; all are in confused.csv)",
        groups,
    )


def _add_classes(page: Page, evaluation: Evaluation) -> None:
    figures = evaluation.by_class
    page.heading("Classes")
    worst_first = np.argsort(figures.f1, kind="stable")
    worst_first = worst_first[(figures.support + figures.answers)[worst_first] > 0]
    rows, groups = [], []
    for class_id in worst_first[:_CLASS_ROWS].tolist():
        name = _named(evaluation, class_id)
        rows.append(
            (
                class_id,
                name,
                _rounded(figures.precision[class_id]),
                _rounded(figures.recall[class_id]),
                _rounded(figures.f1[class_id]),
                int(figures.support[class_id]),
            )
        )
        groups.append((name,))
    page.table(
        ("Id", "Class", "Precision", "Recall", "F1", "Pictures"),
        rows,
        "Figures by class, the lowest F1 first (also in classes.csv)",
        groups,
    )


def _add_label_errors(page: Page, evaluation: Evaluation, sheet: _Sheet) -> None:
    page.heading("Labels that are likely wrong")
    suspects = evaluation.label_errors
    if not suspects:
        page.paragraph("None was found.", "good")
        return
    page.paragraph(
        f"The model is confident that {len(suspects):,} pictures belong to another class than their label says. Look "
        "at each before you change it: the model may be the one that is wrong. All are in label_errors.csv."
    )
    indices = np.array([suspect.index for suspect in suspects])
    page.tiles(sheet.tiles(_some(indices, evaluation.scored.labels)))


def _add_calibration(page: Page, evaluation: Evaluation, drawings: Drawings) -> None:
    found, fitted = evaluation.reliability, evaluation.tempered
    page.heading("How far the probabilities can be trusted")
    page.paragraph(
        f"Of answers given with 80 % probability 80 % should be right. Here the mean gap is "
        f"{percent(found.expected_error)} (expected calibration error), the largest "
        f"{percent(found.largest_error)}."
    )
    page.figure(
        drawings.reliability_svg,
        "Accuracy over confidence, in bins; the diagonal is a perfectly calibrated model",
    )
    page.paragraph(
        f"Logits divided by the temperature {fitted.temperature:.3f} would give a calibration error of "
        f"{percent(fitted.expected_error)}, measured on pictures that it was not fitted to. The answers stay the "
        "same. To export the model with it:"
    )
    page.code(f"ppcls export -c CONFIG --temperature {fitted.temperature:.4g}")


def _add_unreadable(page: Page, evaluation: Evaluation) -> None:
    if not evaluation.failures:
        return
    page.heading("Pictures that could not be read")
    rows = [(printable(path), why) for path, why in evaluation.failures.items()]
    page.table(("Picture", "Why"), rows[:_CLASS_ROWS], f"{len(rows):,} pictures")


class Thumbnails:
    """Small copies of pictures; each picture is read once.

    Args:
        read_pixels: Gives the pixels of a picture, uint8 [H, W, 3] in RGB, or None where it cannot.
    """

    def __init__(self, read_pixels: ReadPixels) -> None:
        self._read_pixels = read_pixels
        self._made: dict[str, bytes | None] = {}

    def of(self, picture: str) -> bytes | None:
        """The encoded copy; None for a picture that cannot be read."""
        if picture not in self._made:
            pixels = self._read_pixels(picture)
            self._made[picture] = None if pixels is None else thumbnail(pixels)
        return self._made[picture]


class _Sheet:
    """Makes the tiles of pictures."""

    def __init__(self, evaluation: Evaluation, read_pixels: ReadPixels) -> None:
        self._evaluation = evaluation
        self._thumbnails = Thumbnails(read_pixels)

    def tiles(self, indices: Iterable[int]) -> Iterator[Tile]:
        """The tiles of pictures by their places; one that cannot be read has none."""
        scored = self._evaluation.scored
        for index in indices:
            picture = scored.pictures[index]
            encoded = self._thumbnails.of(picture)
            if encoded is None:
                continue
            label = _named(self._evaluation, scored.labels[index])
            best = _named(self._evaluation, scored.predicted[index])
            is_right = bool(scored.is_right[index])
            if is_right:
                answer = f"{label} {percent(scored.confidence[index])}"
            else:
                answer = f"{label}, read as {best} {percent(scored.confidence[index])}"
            shown = printable(PurePath(picture).name)
            yield Tile(
                [encoded],
                f"{answer}\n{shown}",
                f"{shown}: {answer}",
                (label,) if is_right else (label, best),
                "good" if is_right else "bad",
            )


def _some(ordered: np.ndarray, labels: np.ndarray) -> list[int]:
    """The first places of an order, and the first ones of every class, so that a filter by class finds some."""
    chosen = ordered[:_SHEET].tolist()
    taken: dict[int, int] = {}
    for index in chosen:
        taken[int(labels[index])] = taken.get(int(labels[index]), 0) + 1
    for index in ordered[_SHEET:].tolist():
        label = int(labels[index])
        if len(chosen) >= _MOST:
            break
        if taken.get(label, 0) < _PER_CLASS:
            taken[label] = taken.get(label, 0) + 1
            chosen.append(index)
    return chosen


@dataclass(frozen=True)
class Drawings:
    """The figures of an evaluation.

    Attributes:
        confusion: The confusion matrix as PNG; empty where there are more than 2,000 classes.
        reliability: Confidence against accuracy as PNG.
        reliability_svg: The same for the page.
    """

    confusion: bytes
    reliability: bytes
    reliability_svg: Html


def drawings_of(evaluation: Evaluation) -> Drawings:
    """Draw the figures.

    Raises:
        Unavailable: matplotlib is not installed.
    """
    confusion = b""
    if evaluation.scored.classes <= _MATRIX_CLASSES:
        confusion = _confusion(evaluation)
    return Drawings(confusion, *_reliability(evaluation))


def _confusion(evaluation: Evaluation) -> bytes:
    """Draw the confusion matrix; up to 40 classes have their names beside it."""
    figures, classes = evaluation.by_class, evaluation.scored.classes
    shares = figures.matrix / np.maximum(figures.support, 1)[:, None]
    side = min(max(4.5, 0.42 * min(classes, _NAMED_CLASSES) + 2), 14)
    with figure(side + 1, side) as (drawn, axes):
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="none")
        axes.grid(visible=False)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true class")
        if classes <= _NAMED_CLASSES:
            names = [_short_name(evaluation, item) for item in range(classes)]
            axes.set_xticks(range(classes), names, rotation=90)
            axes.set_yticks(range(classes), names)
        if classes <= _COUNTED_CLASSES:
            _write_counts(axes, figures.matrix, shares)
        drawn.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
        return as_png(drawn)


def _write_counts(axes: Any, counts: np.ndarray, shares: np.ndarray) -> None:
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(
                column,
                row,
                int(count),
                ha="center",
                va="center",
                color=colour,
                fontsize=8,
            )


def _reliability(evaluation: Evaluation) -> tuple[bytes, Html]:
    found = evaluation.reliability
    is_filled = found.counts > 0
    centres, width = (found.edges[1:] + found.edges[:-1]) / 2, found.edges[1]
    sizes = {"height_ratios": (3, 1)}
    with figure(6.5, 5.5, 2, 1, sharex=True, gridspec_kw=sizes) as (drawn, axes):
        above, below = axes
        above.plot((0, 1), (0, 1), "--", color=COLOURS[5], label="perfectly calibrated")
        above.bar(
            centres[is_filled],
            found.accuracy[is_filled],
            0.9 * width,
            color=COLOURS[0],
            alpha=0.6,
            label="accuracy",
        )
        above.plot(
            found.confidence[is_filled],
            found.accuracy[is_filled],
            "o",
            color=COLOURS[1],
            label="mean confidence of the bin",
        )
        above.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
        above.legend(loc="upper left")
        below.bar(centres, found.counts, 0.9 * width, color=COLOURS[0], alpha=0.6)
        below.set(xlabel="probability of the answer", ylabel="pictures")
        return as_png(drawn), as_svg(drawn, "reliability")


def _named(evaluation: Evaluation, class_id: int) -> str:
    return printable(evaluation.scored.name_of(int(class_id)))


def _short_name(evaluation: Evaluation, class_id: int) -> str:
    name = _named(evaluation, class_id)
    if len(name) <= _NAME_LENGTH:
        return name
    return name[: _NAME_LENGTH - 1] + "…"


def printable(text: str) -> str:
    """Text as a page can show it: bytes of names that are not UTF-8 as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def percent(share: float) -> str:
    """A share as `12.34 %`."""
    return f"{100 * share:.2f} %"


def _rounded(value: float) -> float:
    return round(float(value), 4)
