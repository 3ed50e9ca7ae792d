"""Two models on the same labelled pictures: what one gets right and the other wrong."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np

from ppcls.analysis.evaluation_page import (
    ReadPixels,
    Thumbnails,
    percent,
    printable,
)
from ppcls.analysis.page import Cell, Page, Tile
from ppcls.utils.errors import expect
from ppcls.utils.files import make_folders, write_atomically

PAGE_FILE, TABLE_FILE = "compare.html", "compare.csv"
_HEADER = (
    "picture",
    "label",
    "label_name",
    "first",
    "first_name",
    "first_score",
    "second",
    "second_name",
    "second_score",
    "right",
)
_SHEET = 36
_CLASS_ROWS = 2000
_SIGNIFICANT = 0.05


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of one model.

    Attributes:
        name: The model.
        predicted: Class ids, int64 [N].
        confidence: The probabilities of these classes, float64 [N].
    """

    name: str
    predicted: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """Two models on the same pictures.

    Attributes:
        pictures: Paths, one per picture.
        labels: The true class ids, int64 [N].
        first: The answers of one model.
        second: Those of the other, its classes numbered as the first model's.
        names: One name per class, or None.
    """

    pictures: Sequence[str]
    labels: np.ndarray
    first: Answers
    second: Answers
    names: Sequence[str] | None = None

    @cached_property
    def first_right(self) -> np.ndarray:
        """Whether the first model is right, bool [N]."""
        return self.first.predicted == self.labels

    @cached_property
    def second_right(self) -> np.ndarray:
        """Whether the second model is right, bool [N]."""
        return self.second.predicted == self.labels

    @cached_property
    def test(self) -> McNemar:
        """McNemar's test of the two."""
        only_first = self.first_right & ~self.second_right
        only_second = self.second_right & ~self.first_right
        return mcnemar(int(only_first.sum()), int(only_second.sum()))

    def table(self) -> list[tuple[str, str]]:
        """The result in lines, for a terminal."""
        count = len(self.labels)
        both = int((self.first_right & self.second_right).sum())
        rows = [("pictures", f"{count:,}")]
        for answers, is_right in (
            (self.first, self.first_right),
            (self.second, self.second_right),
        ):
            right = int(is_right.sum())
            rows.append(
                (f"top-1 of {answers.name}", f"{percent(right / count)} ({right:,})")
            )
        rows += [
            ("both right", f"{both:,}"),
            (f"only {self.first.name} right", f"{self.test.only_first:,}"),
            (f"only {self.second.name} right", f"{self.test.only_second:,}"),
            (
                "both wrong",
                f"{count - both - self.test.only_first - self.test.only_second:,}",
            ),
            ("McNemar's test", f"p = {self.test.p_value:.3g}: {self.verdict}"),
        ]
        return rows

    @property
    def verdict(self) -> str:
        """What the test says."""
        first, second, p_value = self.test
        if p_value >= _SIGNIFICANT:
            return "the difference may be chance"
        better = self.first.name if first > second else self.second.name
        return f"{better} is better by more than chance"

    def name_of(self, class_id: int) -> str:
        """The name of a class, or its number where there are no names."""
        return self.names[class_id] if self.names else str(class_id)


def require_comparison_place(folder: Path) -> None:
    """Check, before the work, that writing a comparison replaces nothing but an earlier one.

    Raises:
        UserError: The place is a file, or has a file of the comparison's names that is not of one.
    """
    expect(
        not folder.exists() or folder.is_dir(),
        f"{folder} is a file, and a comparison is a folder of files; give another place",
    )
    table, page = folder / TABLE_FILE, folder / PAGE_FILE
    if not table.exists() and not page.exists():
        return
    taken = page if page.exists() else table
    is_ours = False
    if table.is_file():
        with table.open("rb") as file:
            is_ours = file.readline() == f"{','.join(_HEADER)}\n".encode()
    expect(
        is_ours,
        f"{taken} is not of a comparison; give another folder, or remove it",
    )


def write_comparison(
    comparison: ModelComparison, folder: Path, read_pixels: ReadPixels
) -> Path:
    """Write compare.csv, one row per picture, and compare.html; an earlier comparison there is replaced.

    Args:
        comparison: The two models.
        folder: Where to.
        read_pixels: Gives the pixels of a picture, uint8 [H, W, 3] in RGB, or None where it cannot.

    Returns:
        The page.
    """
    require_comparison_place(folder)
    make_folders(folder)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(_rows(comparison))
    content = text.getvalue().encode("utf-8", "surrogateescape")
    write_atomically(folder / TABLE_FILE, content, sync=False)
    _page_of(comparison, read_pixels).write(folder / PAGE_FILE)
    return folder / PAGE_FILE


def _rows(comparison: ModelComparison) -> Iterator[Sequence[object]]:
    yield _HEADER
    names = {
        (True, True): "both",
        (True, False): "first",
        (False, True): "second",
        (False, False): "none",
    }
    for index, picture in enumerate(comparison.pictures):
        label = int(comparison.labels[index])
        row: list[object] = [picture, label, comparison.name_of(label)]
        for answers in (comparison.first, comparison.second):
            best = int(answers.predicted[index])
            score = f"{answers.confidence[index]:.6g}"
            row += [best, comparison.name_of(best), score]
        is_right = (
            bool(comparison.first_right[index]),
            bool(comparison.second_right[index]),
        )
        yield [*row, names[is_right]]


def _page_of(comparison: ModelComparison, read_pixels: ReadPixels) -> Page:
    first, second = comparison.first, comparison.second
    page = Page(
        f"{printable(first.name)} and {printable(second.name)}",
        f"Two models on the same {len(comparison.labels):,} pictures",
    )
    page.facts({printable(name): value for name, value in comparison.table()})
    labels = np.unique(comparison.labels).tolist()
    page.filter(
        "Show the class", [printable(comparison.name_of(label)) for label in labels]
    )
    thumbnails = Thumbnails(read_pixels)
    for answers, only in (
        (first, comparison.first_right & ~comparison.second_right),
        (second, comparison.second_right & ~comparison.first_right),
    ):
        indices = np.flatnonzero(only)
        page.heading(f"Only {printable(answers.name)} is right")
        if not len(indices):
            page.paragraph("No picture.")
            continue
        # The surest mistakes of the other model first
        other = second if answers is first else first
        order = indices[np.argsort(-other.confidence[indices], kind="stable")]
        page.paragraph(
            f"{len(indices):,} pictures; those come first of which the other model is surest. All are in {TABLE_FILE}."
        )
        page.tiles(_tiles(comparison, order[:_SHEET], other, thumbnails))
    page.heading("Classes")
    rows: list[list[Cell]] = []
    groups = []
    for label in labels[:_CLASS_ROWS]:
        own = comparison.labels == label
        name = printable(comparison.name_of(label))
        shares = [
            round(float(comparison.first_right[own].mean()), 4),
            round(float(comparison.second_right[own].mean()), 4),
        ]
        difference = round(shares[1] - shares[0], 4)
        rows.append([name, *shares, difference, int(own.sum())])
        groups.append((name,))
    header = (
        "Class",
        f"Recall of {printable(first.name)}",
        f"Recall of {printable(second.name)}",
        "Difference",
        "Pictures",
    )
    page.table(
        header, rows, "The share of each class's pictures that is recognised", groups
    )
    return page


def _tiles(
    comparison: ModelComparison,
    indices: np.ndarray,
    other: Answers,
    thumbnails: Thumbnails,
) -> Iterator[Tile]:
    for index in indices.tolist():
        picture = comparison.pictures[index]
        encoded = thumbnails.of(picture)
        if encoded is None:
            continue
        label = printable(comparison.name_of(int(comparison.labels[index])))
        wrong = printable(comparison.name_of(int(other.predicted[index])))
        answer = f"{label}, not {wrong} {percent(other.confidence[index])}"
        shown = printable(PurePath(picture).name)
        yield Tile(
            [encoded], f"{answer}\n{shown}", f"{shown}: {answer}", (label, wrong)
        )


class McNemar(NamedTuple):
    """McNemar's test: whether two models differ on the same pictures by more than chance.

    Source: McNemar 1947, Psychometrika 12(2), 153-157; exact binomial form as in Dietterich 1998, Neural Computation
    10(7).

    Attributes:
        only_first: Pictures that only the first model recognises.
        only_second: Pictures that only the second model recognises.
        p_value: How likely a difference as large as this is if both models are equally good.
    """

    only_first: int
    only_second: int
    p_value: float


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """The exact two-sided test: under equal models each picture on which they differ is a fair coin.

    Args:
        only_first: Pictures that only the first model recognises.
        only_second: Pictures that only the second model recognises.
    """
    differing = only_first + only_second
    fewer = min(only_first, only_second)
    return McNemar(only_first, only_second, min(1.0, 2 * _lower_tail(fewer, differing)))


def _lower_tail(successes: int, trials: int) -> float:
    """The probability of at most so many heads, by logarithms, so that long rows do not overflow."""
    logs = []
    for heads in range(successes + 1):
        ways = (
            math.lgamma(trials + 1)
            - math.lgamma(heads + 1)
            - math.lgamma(trials - heads + 1)
        )
        logs.append(ways - trials * math.log(2))
    largest = max(logs)
    return math.exp(largest) * math.fsum(math.exp(value - largest) for value in logs)
