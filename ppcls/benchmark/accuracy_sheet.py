"""The tables of `ppcls benchmark accuracy`, beside the figures that others published."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ppcls.arch.model_table import Published
from ppcls.benchmark.accuracy import AccuracyRow
from ppcls.benchmark.published import SOURCES, published_accuracies
from ppcls.benchmark.sheet import Sheet
from ppcls.benchmark.tables import markdown, short
from ppcls.utils.terminal import aligned

_HEADER = ("model", "engine", "precision", "pictures", "top-1 (%)", "top-5 (%)")
_NOTE = (
    "Columns with a name in them are as published by those it names, on the 50,000 pictures of ImageNet's validation "
    "set; they were not measured here, and belong to their weights and preprocessing.\n"
)


class AccuracySheet(Sheet[AccuracyRow]):
    """Rows, each for one form of one bundle on one device."""

    NAME = "accuracy"
    ROW = AccuracyRow

    def markdown(self) -> str:
        """One table; a bundle's folder is named where several have one model."""
        header = list(_HEADER)
        for source in self._sources():
            header.append(f"{SOURCES[source]}, top-1 (%)")
            header.append(f"{SOURCES[source]}, top-5 (%)")
        lines = []
        for cells, published in zip(self._measured(), self.published_cells()):
            lines.append([*cells, *map(short, published)])
        table = markdown(header, lines)
        return f"{table}\n{_NOTE}" if self._sources() else table

    def for_terminal(self) -> str:
        """What was measured, without the published figures."""
        return aligned(_HEADER, self._measured(), _HEADER[:3])

    def _measured(self) -> list[list[str]]:
        """The cells of the rows without the published figures."""
        folders: dict[str, set[str]] = {}
        for row in self.rows:
            folders.setdefault(row.model, set()).add(row.bundle)
        return [
            _cells(row, has_one_folder=len(folders[row.model]) == 1)
            for row in self.rows
        ]

    def published_columns(self) -> list[str]:
        """Two columns for each source."""
        columns = []
        for source in self._sources():
            columns += [f"{source}_top1", f"{source}_top5"]
        return columns

    def published_cells(self) -> list[list[float | None]]:
        """Top-1 and top-5 of each source, for each row."""
        sources = self._sources()
        rows = []
        for row in self.rows:
            found = published_accuracies(row.model, row.classes)
            cells: list[float | None] = []
            for source in sources:
                accuracy = found.get(source, Published())
                cells += [accuracy.top1, accuracy.top5]
            rows.append(cells)
        return rows

    def extra_content(self) -> dict[str, Any]:
        """What others published of the models."""
        models: dict[str, dict[str, Any]] = {}
        for row in self.rows:
            for source, accuracy in published_accuracies(
                row.model, row.classes
            ).items():
                models.setdefault(row.model, {})[source] = asdict(accuracy)
        return {"published": models}

    def _sources(self) -> list[str]:
        """Who published accuracies of one of the models."""
        found: set[str] = set()
        for row in self.rows:
            found.update(published_accuracies(row.model, row.classes))
        return [source for source in SOURCES if source in found]


def _cells(row: AccuracyRow, has_one_folder: bool) -> list[str]:
    """The cells of a row; the bundle is named where several have one model."""
    return [
        row.model if has_one_folder else f"{row.model} in {row.bundle}",
        row.backend if row.device == "cpu" else f"{row.backend} ({row.device})",
        row.precision,
        str(row.pictures),
        f"{row.top1:.2f}",
        f"{row.top5:.2f}",
    ]
