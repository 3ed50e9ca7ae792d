"""The tables of `ppcls benchmark latency`, beside the figures that PaddleClas published."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ppcls.benchmark.latency import LatencyCase, LatencyRow
from ppcls.benchmark.published import ModelFacts
from ppcls.benchmark.sheet import REMEDY, Sheet
from ppcls.benchmark.tables import markdown, short, spread
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike
from ppcls.utils.terminal import aligned

_CELLS = "Cells: the median of the timed calls, and the 5th and 95th percentile, for the whole batch."
NOTE = (
    f"{_CELLS} The columns named "
    "PaddleClas are as it published them, by TensorRT on a V100 or T4; they were not measured here.\n"
)


class LatencySheet(Sheet[LatencyRow]):
    """Rows under a heading.

    Args:
        folder: Where the files are; None writes nothing. Rows that an earlier run could not measure are left out.
        heading: The machine and the method; rows with another heading are refused.
        facts: What is known of the models, by the names in the rows.
        notes: Paragraphs below the tables.

    Raises:
        UserError: The folder's rows have another heading, or its file was not written by this class.
    """

    NAME = "latency"
    ROW = LatencyRow

    def __init__(
        self,
        folder: PathLike | None,
        heading: Mapping[str, str],
        facts: Mapping[str, ModelFacts],
        notes: Sequence[str] = (),
    ) -> None:
        self.heading = dict(heading)
        self.facts = facts
        self.notes = notes
        super().__init__(folder)

    def has_figures(self, row: LatencyRow) -> bool:
        """Whether the row was measured."""
        return row.reason is None

    def check(self, content: dict[str, Any], file: Path) -> None:
        """Compare the heading with that of this run.

        Raises:
            UserError: It differs.
        """
        heading = content.get("heading")
        if not isinstance(heading, dict):
            raise self.not_ours(file)
        for name, value in self.heading.items():
            if heading.get(name) != value:
                raise UserError(
                    f"{file} was measured with {name} {heading.get(name)!r}, which now is {value!r}; {REMEDY}"
                )

    def drop_outdated(
        self, model: str, digest_of: Callable[[LatencyCase], str]
    ) -> None:
        """Drop the rows of a model that were measured with other files.

        Args:
            model: The model's name in the rows.
            digest_of: Gives the digest of the files that a case runs now.
        """
        kept = []
        for row in self.rows:
            if row.model != model or row.origin == digest_of(row.case):
                kept.append(row)
        self.rows = kept

    def missing(self, model: str, cases: Sequence[LatencyCase]) -> list[LatencyCase]:
        """The cases that no row of the model covers."""
        missing = list(cases)
        for row in self.rows:
            if row.model == model and row.case in missing:
                missing.remove(row.case)
        return missing

    def backends(self) -> list[tuple[str, str]]:
        """Backend and precision of the rows with figures."""
        found: dict[tuple[str, str], None] = {}
        for row in self.rows:
            if self.has_figures(row):
                found[row.backend, row.precision] = None
        return list(found)

    def batches(self) -> list[int]:
        """Batch sizes of the rows."""
        return sorted({row.batch for row in self.rows})

    def by_model(
        self, backend: str, precision: str
    ) -> dict[str, dict[int, LatencyRow]]:
        """The rows of a backend and precision, by model and batch size."""
        found: dict[str, dict[int, LatencyRow]] = {}
        for row in self.rows:
            if (row.backend, row.precision) == (backend, precision):
                found.setdefault(row.model, {})[row.batch] = row
        return found

    def markdown(self) -> str:
        """A table in the published layout for each backend and precision, and the cases that could not be measured."""
        parts = [_bullets(f"{name}: {value}" for name, value in self.heading.items())]
        for backend, precision in self.backends():
            parts.append(f"### {backend}, {precision}\n")
            parts.append(self._table(backend, precision))
        missing = self._not_measured()
        if missing:
            parts.append(_bullets(missing))
        parts.append(NOTE)
        for note in self.notes:
            parts.append(f"{note}\n")
        return "\n".join(parts)

    def for_terminal(self, width: int) -> str:
        """What was measured, without the published figures, in lines of so many characters."""
        lines = [f"{name}: {value}" for name, value in self.heading.items()]
        for backend, precision in self.backends():
            lines += ["", f"{backend}, {precision}"]
            rows = self.by_model(backend, precision)
            cells = [self._measured(by_batch, _latency) for by_batch in rows.values()]
            header = ["model"]
            header += [f"batch {batch} (ms)" for batch in self.batches()]
            table = aligned(header, cells, ("model",))
            if max(map(len, table.splitlines())) > width:
                cells = [
                    self._measured(by_batch, _median) for by_batch in rows.values()
                ]
                table = aligned(header, cells, ("model",))
            lines.append(table)
        lines += ["", *self._not_measured(), _CELLS, *self.notes]
        return "\n".join(lines)

    def _not_measured(self) -> list[str]:
        """A line for each case that could not be measured."""
        missing: dict[str, None] = {}
        for row in self.rows:
            if row.reason is not None:
                case = f"{row.backend}, {row.precision}, {row.model}"
                missing[f"not measured: {case}: {row.reason}"] = None
        return list(missing)

    def _measured(
        self,
        by_batch: Mapping[int, LatencyRow],
        cell: Callable[[LatencyRow | None], str | None],
    ) -> list[str]:
        """The cells of a model for a terminal."""
        cells = [next(iter(by_batch.values())).model]
        for batch in self.batches():
            cells.append(cell(by_batch.get(batch)) or "")
        return cells

    def published_columns(self) -> list[str]:
        """A column for each device and precision that PaddleClas measured on."""
        columns = []
        for kind in self._kinds():
            columns.append(f"published_{kind.replace(' ', '_').lower()}_ms")
        return columns

    def published_cells(self) -> list[list[float | None]]:
        """The published latencies at the batch size of each row."""
        kinds = list(self._kinds())
        rows = []
        for row in self.rows:
            rows.append([self._published(row.model, kind, row.batch) for kind in kinds])
        return rows

    def extra_content(self) -> dict[str, Any]:
        """The heading, and the facts of the models."""
        models = {}
        for row in self.rows:
            if row.model in self.facts:
                models[row.model] = asdict(self.facts[row.model])
        return {"heading": self.heading, "models": models}

    def _table(self, backend: str, precision: str) -> str:
        rows = self.by_model(backend, precision)
        header = ["model", "crop (px)", "resize_short (px)"]
        for batch in self.batches():
            header.append(f"batch {batch} (ms)")
        for kind, sizes in self._kinds().items():
            for batch in sizes:
                header.append(f"PaddleClas, {kind}, batch {batch} (ms)")
        return markdown(header, map(self._cells, rows.values()))

    def _cells(self, by_batch: dict[int, LatencyRow]) -> list[object]:
        first = next(iter(by_batch.values()))
        cells: list[object] = [first.model, first.crop, first.resize_short]
        for batch in self.batches():
            cells.append(_latency(by_batch.get(batch)))
        for kind, sizes in self._kinds().items():
            for batch in sizes:
                cells.append(short(self._published(first.model, kind, batch)))
        return cells

    def _kinds(self) -> dict[str, list[int]]:
        """The devices that PaddleClas published latencies of these models for, each with its batch sizes."""
        found: dict[str, list[int]] = {}
        for row in self.rows:
            facts = self.facts.get(row.model)
            if facts is None:
                continue
            for kind, latencies in facts.published.items():
                found[kind] = sorted({*found.get(kind, ()), *latencies})
        return found

    def _published(self, model: str, kind: str, batch: int) -> float | None:
        facts = self.facts.get(model)
        if facts:
            return facts.published.get(kind, {}).get(batch)
        return None


def _bullets(lines: Iterable[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)


def _median(row: LatencyRow | None) -> str | None:
    if row is None:
        return None
    if row.median_ms is None:
        return "not measured"
    return f"{row.median_ms:.2f}"


def _latency(row: LatencyRow | None) -> str | None:
    if row is None:
        return None
    if row.median_ms is None or row.p5_ms is None or row.p95_ms is None:
        return "not measured"
    return spread(row.median_ms, row.p5_ms, row.p95_ms)
