"""Accuracy of many bundles, engines and precisions over one list, measured row by row and gone on with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ppcls import __version__
from ppcls.arch.model_table import MODELS, Published
from ppcls.benchmark.machine import engine_versions
from ppcls.benchmark.tables import csv_text, markdown, short
from ppcls.data.picture_list import PictureList
from ppcls.deployment.verify.forms import Form, form_digest
from ppcls.deployment.verify.run import labelled_batches
from ppcls.inference.backends import Backend
from ppcls.inference.bundle import Bundle
from ppcls.metric.topk import TopkCounter
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike, write_atomically

NAME = "accuracy"
# Who measured what they published
_THEIRS = {"paddleclas": "PaddleClas", "timm": "timm", "ucbdrive": "ucbdrive/dla"}
_IMAGENET = 1000
_NOTE = (
    "Columns with a name in them are as published by those it names, on the 50,000 pictures of ImageNet's validation "
    "set; they were not measured here, and belong to their weights and preprocessing.\n"
)


@dataclass(frozen=True)
class AccuracyRow:
    """What one form of one bundle scores.

    Attributes:
        model: the architecture.
        bundle: its folder.
        backend: the engine.
        precision: of its arithmetic.
        device: `cpu` or `gpu`.
        classes: how many there are; figures that others published are of 1,000.
        pictures: how many were scored.
        top1: percent.
        top5: percent.
        version: of this library.
        form_digest: of what was run; see `ppcls.deployment.verify.forms.form_digest`.
        list_digest: of the pictures' names and labels.
        versions: of the engine's packages; None in a file of a time when rows did not say them.
    """

    model: str
    bundle: str
    backend: str
    precision: str
    device: str
    classes: int
    pictures: int
    top1: float
    top5: float
    version: str
    form_digest: str
    list_digest: str
    versions: str | None = None


def measure_accuracy(
    bundle: Bundle,
    form: Form,
    backend: Backend,
    data: PictureList,
    device: str = "cpu",
    batch_size: int = 8,
    threads: int | None = None,
) -> AccuracyRow:
    """Runs the pictures of a list.

    Args:
        bundle: whose preprocessing they get.
        form: what `backend` is.
        backend: gives the scores.
        data: with labels.
        device: for the row.
        batch_size: pictures that go through the model together.
        threads: of the reading.

    Raises:
        UserError: a picture cannot be read.
    """
    counter = TopkCounter((1, 5))
    for inputs, labels in labelled_batches(bundle, data, batch_size, threads):
        counter.update(backend.run(inputs), labels)
    found = {name: 100 * share for name, share in counter.result().items()}
    what = (
        bundle.architecture,
        str(bundle.folder),
        form.backend,
        form.precision,
        device,
        bundle.class_num,
    )
    return AccuracyRow(
        *what, len(data), found["top1"], found["top5"], *_origin(bundle, form, data)
    )


class AccuracySheet:
    """Rows, and the folder that they are written to after each.

    Args:
        folder: of `accuracy.json`, from which the next run goes on, and of `accuracy.md` and `accuracy.csv`.

    Raises:
        UserError: what lies there was not written by this class.
    """

    def __init__(self, folder: PathLike) -> None:
        self.folder = Path(folder)
        self.rows: list[AccuracyRow] = []
        file = self.folder / f"{NAME}.json"
        if file.is_file():
            try:
                self.rows = [
                    AccuracyRow(**row)
                    for row in json.loads(file.read_text(encoding="utf-8"))["rows"]
                ]
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(
                    f"{file} was not written by `ppcls benchmark accuracy`; give another --output"
                ) from error

    def find(
        self, bundle: Bundle, form: Form, data: PictureList, device: str
    ) -> AccuracyRow | None:
        """The row of a form, if this library, the engine, what runs in it and the list are still the same."""
        row = next(
            (
                row
                for row in self.rows
                if _place(row) == (str(bundle.folder), str(form), device)
            ),
            None,
        )
        found = row and (row.version, row.form_digest, row.list_digest, row.versions)
        return row if found == _origin(bundle, form, data) else None

    def add(self, row: AccuracyRow) -> None:
        """Puts a row in, in place of an older one of the same form, and writes the files."""
        rows = [row if _place(old) == _place(row) else old for old in self.rows]
        self.rows = rows if row in rows else [*rows, row]
        self.write()

    def write(self) -> list[Path]:
        """Writes the three files; returns their paths."""
        texts = {"json": self.json(), "csv": self.csv(), "md": self.markdown()}
        files = {kind: self.folder / f"{NAME}.{kind}" for kind in texts}
        for kind, text in texts.items():
            write_atomically(files[kind], text.encode())
        return list(files.values())

    def json(self) -> str:
        """Every field of every row, and what others published of the models."""
        published = {row.model: _published(row) for row in self.rows if _published(row)}
        theirs = {
            model: {who: asdict(figures) for who, figures in found.items()}
            for model, found in published.items()
        }
        return (
            json.dumps(
                {"rows": [asdict(row) for row in self.rows], "published": theirs},
                indent=1,
            )
            + "\n"
        )

    def csv(self) -> str:
        """A line a row: its fields, and the published figures."""
        header = [field.name for field in fields(AccuracyRow)]
        theirs = [
            f"{who}_{name}" for who in self._sources() for name in ("top1", "top5")
        ]
        return csv_text(
            [*header, *theirs],
            ([*asdict(row).values(), *self._figures(row)] for row in self.rows),
        )

    def markdown(self) -> str:
        """A table for people."""
        header = ["model", "engine", "precision", "pictures", "top-1 (%)", "top-5 (%)"]
        theirs = [
            f"{_THEIRS[who]}, {name} (%)"
            for who in self._sources()
            for name in ("top-1", "top-5")
        ]
        bundles: dict[str, set] = {}
        for row in self.rows:
            bundles.setdefault(row.model, set()).add(row.bundle)
        table = markdown(
            [*header, *theirs],
            (
                [
                    row.model
                    if len(bundles[row.model]) == 1
                    else f"{row.model} in {row.bundle}",
                    *_cells(row),
                ]
                + [short(figure) for figure in self._figures(row)]
                for row in self.rows
            ),
        )
        return f"{table}\n{_NOTE}" if theirs else table

    def _sources(self) -> list[str]:
        """Who published figures of one of the models."""
        return [
            who for who in _THEIRS if any(who in _published(row) for row in self.rows)
        ]

    def _figures(self, row: AccuracyRow) -> list[float | None]:
        found = _published(row)
        figures = [found.get(who, Published()) for who in self._sources()]
        return [number for each in figures for number in (each.top1, each.top5)]


def _place(row: AccuracyRow) -> tuple[str, str, str]:
    return row.bundle, f"{row.backend}:{row.precision}", row.device


def _origin(bundle: Bundle, form: Form, data: PictureList) -> tuple[str, str, str, str]:
    """What figures follow from: the last fields of a row."""
    return (
        __version__,
        form_digest(bundle, form),
        data.digest,
        engine_versions(form.backend),
    )


def _published(row: AccuracyRow) -> dict[str, Published]:
    """The accuracies that others print of a row's model."""
    known = row.model in MODELS and row.classes == _IMAGENET
    found: dict[str, Any] = dict(MODELS[row.model].published) if known else {}
    return {
        who: found[who]
        for who in _THEIRS
        if who in found and found[who].top1 is not None
    }


def _cells(row: AccuracyRow) -> Sequence[str]:
    engine = row.backend if row.device == "cpu" else f"{row.backend} ({row.device})"
    return (
        engine,
        row.precision,
        str(row.pictures),
        f"{row.top1:.2f}",
        f"{row.top5:.2f}",
    )
