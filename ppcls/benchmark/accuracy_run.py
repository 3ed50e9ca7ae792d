"""Fill an accuracy sheet: measure the forms of the bundles that it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ppcls.arch.listing import listed_models
from ppcls.benchmark.accuracy import AccuracyRow, accuracy_origin, measure_accuracy
from ppcls.benchmark.accuracy_sheet import AccuracySheet
from ppcls.data.picture_list import PictureList
from ppcls.deployment.verify.forms import Form
from ppcls.inference.backends import open_backend
from ppcls.inference.bundle import Bundle
from ppcls.utils.errors import Unavailable, UserError, expect
from ppcls.utils.files import PathLike
from ppcls.utils.load_paddle import load_paddle


@dataclass(frozen=True)
class AccuracyRun:
    """How bundles are measured.

    Attributes:
        forms: The forms to measure, and whether the user named each: one that was named must run.
        read_data: Gives the pictures for a bundle, with labels.
        device: `cpu` or `gpu`.
        batch_size: Pictures per batch.
        threads: Threads of the kernels and of reading; None takes every core.
        report: Gets a line for each form.
    """

    forms: Mapping[Form, bool]
    read_data: Callable[[Bundle], PictureList]
    device: str
    batch_size: int
    threads: int | None
    report: Callable[[str], None]

    def fill(self, sheet: AccuracySheet, bundles: Iterable[Bundle]) -> None:
        """Measure what the sheet lacks; the sheet is written after each form.

        Raises:
            UserError: A picture cannot be read, a form that the user named cannot run, or none can.
        """
        covered = 0
        for bundle in bundles:
            data = self.read_data(bundle)
            bundle.checked(*bundle.entries)
            for form, is_named in self.forms.items():
                try:
                    self._measure(sheet, bundle, form, data)
                    covered += 1
                except Unavailable as error:
                    if is_named:
                        raise
                    self.report(f"left out: {bundle.folder}, {form}: {error}")
        expect(
            covered, "nothing could be measured; the lines above say what is missing"
        )

    def _measure(
        self, sheet: AccuracySheet, bundle: Bundle, form: Form, data: PictureList
    ) -> None:
        key = (str(bundle.folder), form, self.device)
        if sheet.find(key, accuracy_origin(bundle, form, data)) is not None:
            self.report(f"{bundle.folder}, {form}: was measured before")
            return
        backend = open_backend(bundle, form.settings(self.device, self.threads))
        row: AccuracyRow = measure_accuracy(
            bundle, form, backend, data, self.device, self.batch_size, self.threads
        )
        sheet.add(row)
        self.report(
            f"{bundle.folder}, {form}: top-1 {row.top1:.2f} %, top-5 {row.top5:.2f} %"
        )


def bundles_to_measure(
    folders: Sequence[str], pattern: str | None, exports: PathLike
) -> Iterator[Bundle]:
    """The bundles in the folders, then the models whose names match, each exported when it is asked for.

    Args:
        folders: Folders of bundles.
        pattern: Names models, whose published weights are exported; None names none.
        exports: Where they are exported to, each into a folder of its name.

    Raises:
        UserError: Nothing is given, a folder holds no bundle, or no model matches.
    """
    if not folders and not pattern:
        raise UserError(
            "nothing to measure is given; give folders of bundles, or --models with a pattern"
        )
    bundles = list(map(Bundle.load, folders))
    models = listed_models(pattern) if pattern else []
    yield from bundles
    for model in models:
        load_paddle()
        # Imports Paddle
        from ppcls.benchmark.shipped_bundles import published_bundle

        yield published_bundle(model.name, Path(exports) / model.name)
