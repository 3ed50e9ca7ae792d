"""The figures of `ppcls benchmark latency`: Markdown, CSV and JSON, written as models are measured, and resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ppcls.benchmark.latency import LatencyRow, Way
from ppcls.benchmark.tables import csv_text, markdown, short, spread
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike, write_atomically

NAME = "latency"
NOTE = (
    "Cells: the median of the timed calls, and the 5th and 95th percentile, for the whole batch. The columns named "
    "PaddleClas are as it published them, by TensorRT on a V100 or T4; they were not measured here.\n"
)


@dataclass(frozen=True)
class Facts:
    """What is known of a model without measuring.

    Attributes:
        params_m: trainable parameters in 1e6.
        flops_g: floating-point operations in 1e9, two for each multiply-accumulate.
        top1: ImageNet top-1 in percent, as PaddleClas publishes it.
        published: milliseconds that PaddleClas prints, by what they were measured on (`V100 FP32`) and batch size.
    """

    params_m: float
    flops_g: float
    top1: float | None = None
    published: Mapping[str, Mapping[int, float]] = field(default_factory=dict)


class Sheet:
    """Rows under a heading.

    Args:
        heading: the machine and the method; rows of another one do not belong here.
        facts: of the models, by the names that rows bear.
        notes: paragraphs below the tables.
    """

    def __init__(
        self,
        heading: Mapping[str, str],
        facts: Mapping[str, Facts],
        notes: Sequence[str] = (),
    ) -> None:
        self.heading = dict(heading)
        self.facts = facts
        self.notes = notes
        self.rows: list[LatencyRow] = []

    def resume(self, folder: PathLike) -> None:
        """Takes the rows over that an earlier run wrote there, but for those that it could not measure.

        Raises:
            UserError: they are of another machine or method, or the file is not of this command.
        """
        file = Path(folder) / f"{NAME}.json"
        if not file.is_file():
            return
        try:
            earlier = json.loads(file.read_text(encoding="utf-8"))
            heading, rows = (
                earlier["heading"],
                [_row(values) for values in earlier["rows"]],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{file} was not written by `ppcls benchmark latency`; give another --output"
            ) from error
        for name, value in self.heading.items():
            if heading.get(name) != value:
                raise UserError(
                    f"{file} was measured with {name} {heading.get(name)!r}, which now is {value!r}; "
                    "give another --output"
                )
        self.rows = [row for row in rows if row.reason is None]

    def keep(self, model: str, digest_of: Callable[[Way], str]) -> None:
        """Leaves rows of the model out that are of something else.

        Args:
            model: the name that rows bear.
            digest_of: the digest of what a way of running the model runs now.
        """
        self.rows = [
            row
            for row in self.rows
            if row.model != model or row.form_digest == digest_of(row.way)
        ]

    def missing(self, model: str, ways: Sequence[Way]) -> list[Way]:
        """Those of `ways` that no row of the model is about."""
        there = {row.way for row in self.rows if row.model == model}
        return [way for way in ways if way not in there]

    def is_empty(self) -> bool:
        """Whether nothing has been measured."""
        return all(row.reason for row in self.rows)

    def write(self, folder: PathLike) -> list[Path]:
        """Writes `latency.md`, `latency.csv` and `latency.json`; returns their paths."""
        texts = {".md": self.markdown(), ".csv": self.csv(), ".json": self.json()}
        files = [Path(folder) / f"{NAME}{suffix}" for suffix in texts]
        for file, text in zip(files, texts.values()):
            write_atomically(file, text.encode())
        return files

    def markdown(self) -> str:
        """A table in the published layout for each engine and precision, and what could not be measured."""
        parts = [
            "".join(f"- {name}: {value}\n" for name, value in self.heading.items())
        ]
        for backend, precision in self.engines(measured=True):
            parts += [f"### {backend}, {precision}\n", self._table(backend, precision)]
        missing = dict.fromkeys(
            (r.backend, r.precision, r.model, r.reason) for r in self.rows if r.reason
        )
        if missing:
            parts.append(
                "".join(
                    f"- not measured: {b}, {p}, {m}: {reason}\n"
                    for b, p, m, reason in missing
                )
            )
        return "\n".join([*parts, NOTE, *(f"{note}\n" for note in self.notes)])

    def csv(self) -> str:
        """A line a row, and what PaddleClas published at its batch size."""
        kinds = self._kinds()
        header = [item.name for item in fields(LatencyRow)]
        published = [f"published_{kind.replace(' ', '_').lower()}_ms" for kind in kinds]
        return csv_text(
            [*header, *published],
            (
                [
                    *asdict(row).values(),
                    *(self._published(row.model, kind, row.batch) for kind in kinds),
                ]
                for row in self.rows
            ),
        )

    def json(self) -> str:
        """Heading, rows, and the facts of their models."""
        models = dict.fromkeys(row.model for row in self.rows)
        content = {
            "heading": self.heading,
            "rows": [asdict(row) for row in self.rows],
            "models": {
                model: asdict(self.facts[model])
                for model in models
                if model in self.facts
            },
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    def engines(self, measured: bool = False) -> list[tuple[str, str]]:
        """Backends and precisions of the rows, or of those that were measured."""
        return list(
            dict.fromkeys(
                (r.backend, r.precision)
                for r in self.rows
                if not (measured and r.reason)
            )
        )

    def batches(self) -> list[int]:
        """Batch sizes of the rows."""
        return sorted({row.batch for row in self.rows})

    def _table(self, backend: str, precision: str) -> str:
        rows: dict[str, dict[int, LatencyRow]] = {}
        for row in self.rows:
            if (row.backend, row.precision) == (backend, precision):
                rows.setdefault(row.model, {})[row.batch] = row
        batches, kinds = self.batches(), self._kinds()
        header = [
            "model",
            "crop (px)",
            "resize_short (px)",
            *(f"batch {batch} (ms)" for batch in batches),
        ]
        header += [
            f"PaddleClas, {kind}, batch {batch} (ms)"
            for kind, sizes in kinds.items()
            for batch in sizes
        ]
        return markdown(
            header,
            [self._line(model, of, batches, kinds) for model, of in rows.items()],
        )

    def _line(
        self,
        model: str,
        of: dict[int, LatencyRow],
        batches: Sequence[int],
        kinds: Mapping[str, Sequence[int]],
    ) -> list[Any]:
        first = next(iter(of.values()))
        measured = [_cell(of.get(batch)) for batch in batches]
        published = [
            short(self._published(model, kind, batch))
            for kind, sizes in kinds.items()
            for batch in sizes
        ]
        return [model, first.crop, first.resize_short, *measured, *published]

    def _kinds(self) -> dict[str, list[int]]:
        """What was published of these models, and at which batch sizes."""
        found: dict[str, list[int]] = {}
        for row in self.rows:
            for kind, latencies in (
                self.facts[row.model].published if row.model in self.facts else {}
            ).items():
                found[kind] = sorted({*found.get(kind, ()), *latencies})
        return found

    def _published(self, model: str, kind: str, batch: int) -> float | None:
        return (
            self.facts[model].published.get(kind, {}).get(batch)
            if model in self.facts
            else None
        )


def _cell(row: LatencyRow | None) -> str | None:
    if row is None:
        return None
    if row.reason:
        return "not measured"
    assert (
        row.median_ms is not None and row.p5_ms is not None and row.p95_ms is not None
    )
    return spread(row.median_ms, row.p5_ms, row.p95_ms)


def _row(values: Any) -> LatencyRow:
    return LatencyRow(**values)
