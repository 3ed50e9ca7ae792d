"""Accuracy of one form of a bundle over a list of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ppcls import __version__
from ppcls.benchmark.machine import engine_versions
from ppcls.data.picture_list import PictureList
from ppcls.deployment.verify.forms import Form, form_digest
from ppcls.deployment.verify.run import labelled_batches
from ppcls.inference.backends import Backend
from ppcls.inference.bundle import Bundle
from ppcls.metric.topk import TopkCounter


class AccuracyOrigin(NamedTuple):
    """What the figures of a row depend on.

    Attributes:
        version: The version of this library.
        form_digest: Identifies the files that were run; see `ppcls.deployment.verify.forms.form_digest`.
        list_digest: Identifies the pictures' names and labels.
        versions: The versions of the backend's packages; None in files written before rows had them.
    """

    version: str
    form_digest: str
    list_digest: str
    versions: str | None


@dataclass(frozen=True)
class AccuracyRow:
    """The accuracy of one form of one bundle.

    Attributes:
        model: The architecture.
        bundle: The bundle's folder.
        backend: The backend.
        precision: The precision of its arithmetic.
        device: `cpu` or `gpu`.
        classes: The number of classes; published figures are for 1,000.
        pictures: How many were scored.
        top1: Percent.
        top5: Percent.
        version: See `AccuracyOrigin`.
        form_digest: See `AccuracyOrigin`.
        list_digest: See `AccuracyOrigin`.
        versions: See `AccuracyOrigin`.
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

    @property
    def key(self) -> tuple[str, Form, str]:
        """The bundle, its form and the device, of which a sheet has one row."""
        return self.bundle, Form(self.backend, self.precision), self.device

    @property
    def origin(self) -> AccuracyOrigin:
        """What the figures depend on."""
        return AccuracyOrigin(
            self.version, self.form_digest, self.list_digest, self.versions
        )


def accuracy_origin(bundle: Bundle, form: Form, data: PictureList) -> AccuracyOrigin:
    """What the figures of a form would depend on if they were measured now."""
    return AccuracyOrigin(
        __version__,
        form_digest(bundle, form),
        data.digest,
        engine_versions(form.backend),
    )


def measure_accuracy(
    bundle: Bundle,
    form: Form,
    backend: Backend,
    data: PictureList,
    device: str = "cpu",
    batch_size: int = 8,
    threads: int | None = None,
) -> AccuracyRow:
    """Classify the pictures of a list and count top-1 and top-5.

    Args:
        bundle: Gives the preprocessing.
        form: The form that `backend` runs.
        backend: Gives the scores.
        data: Pictures with labels.
        device: For the row.
        batch_size: Pictures per batch.
        threads: Threads that read pictures.

    Raises:
        UserError: A picture cannot be read.
    """
    counter = TopkCounter((1, 5))
    for inputs, labels in labelled_batches(bundle, data, batch_size, threads):
        counter.update(backend.run(inputs), labels)
    shares = counter.result()
    return AccuracyRow(
        bundle.architecture,
        str(bundle.folder),
        form.backend,
        form.precision,
        device,
        bundle.class_num,
        len(data),
        100 * shares["top1"],
        100 * shares["top5"],
        *accuracy_origin(bundle, form, data),
    )
