"""Compare every form of a bundle, each backend and precision, with the model in float32.

At export the model itself scores the golden picture. Those scores are part of the bundle, and the exported float32
program is compared with them. So the golden picture is compared with the model, and a user's pictures (`data`) with
Paddle's float32 program, or with the model itself if the caller gives it as `reference`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from ppcls.data.picture_list import PictureList
from ppcls.data.read_ahead import read_batches
from ppcls.deployment.verify.comparison import Comparison, failure_of
from ppcls.deployment.verify.forms import CALIBRATED, REFERENCE, Form, parse_forms
from ppcls.deployment.verify.report import FormResult, VerificationReport
from ppcls.inference.backends import Backend, open_backend
from ppcls.inference.bundle import Bundle
from ppcls.inference.golden import Agreement, Golden, agreement_with
from ppcls.utils.errors import Unavailable, UserError

Batch = tuple[np.ndarray, np.ndarray | None]  # inputs float32 [N, C, H, W], labels [N]


class _OpenForms(NamedTuple):
    """The forms that can run, and for the others why they cannot."""

    backends: dict[Form, Backend]
    left_out: dict[Form, str]


class _Reference(NamedTuple):
    """What forms are compared with, in words too, and the batches of the comparison."""

    backend: Backend
    words: str
    batches: Iterable[Batch]


def verify(
    bundle: Bundle,
    backends: str | Mapping[Form, Backend] = "all",
    data: PictureList | None = None,
    *,
    reference: Backend | None = None,
    device: str = "cpu",
    batch_size: int = 8,
    threads: int | None = None,
    calibration: str | None = None,
) -> VerificationReport:
    """Compare forms of a bundle with the model in float32.

    Args:
        bundle: The bundle; its files are compared with their digests first.
        backends: The forms, see `parse_forms`, or forms that are open already.
        data: Pictures to compare on; by default the golden picture alone, which proves little for lower precisions.
        reference: The model itself, to be used instead of the golden scores and of the float32 program.
        device: `cpu` or `gpu`.
        batch_size: Pictures per batch.
        threads: Threads of the kernels and of reading; None takes every core.
        calibration: A list file or folder of pictures for TensorRT's int8; not those of `data`.

    Raises:
        GoldenMismatch: The preprocessing, or with `data` the float32 program, is not what was exported.
        UserError: The bundle is damaged, a form that was named cannot run, or a picture cannot be read.
    """
    if bundle.golden is None:  # made by another library
        raise UserError(
            f"{bundle.folder} has no golden picture to compare with; export the model here"
        )
    bundle.checked(*bundle.entries)
    if isinstance(backends, str):
        opened = _open_forms(bundle, backends, device, threads, calibration)
    else:
        opened = _OpenForms(dict(backends), {})
    golden = Golden.of(bundle)
    agreements = {}
    for form, backend in opened.backends.items():
        if form.precision == "float32":
            agreements[form] = agreement_with(
                golden, bundle.pipeline, backend, bundle.folder
            )
    if data is None:
        chosen = _golden_reference(golden, reference, opened)
    else:
        # The program of a GPU is not the reference: it may round products to TF32.
        shared = opened.backends.get(REFERENCE) if device == "cpu" else None
        chosen = _data_reference(
            bundle, golden, data, reference, shared, batch_size, threads
        )
    whole, seen = compare(opened.backends, chosen.backend, chosen.batches)
    rows = []
    for form in opened.backends:
        rows.append(_result(form, seen[form], whole, agreements.get(form)))
    return VerificationReport(
        str(bundle.folder), chosen.words, whole, tuple(rows), opened.left_out
    )


def compare(
    backends: Mapping[Form, Backend], reference: Backend, batches: Iterable[Batch]
) -> tuple[Comparison, dict[Form, Comparison]]:
    """Send every batch through every form.

    Args:
        backends: The forms.
        reference: What they are compared with; one of them may be it.
        batches: Inputs, and labels for all of them or for none.

    Returns:
        The reference against itself, which has its accuracy, and each form against the reference.
    """
    whole = Comparison()
    seen = {form: Comparison() for form in backends}
    for inputs, labels in batches:
        expected = reference.run(inputs)
        whole.add(expected, expected, labels)
        for form, backend in backends.items():
            # The reference is not run twice.
            scores = expected if backend is reference else backend.run(inputs)
            seen[form].add(scores, expected, labels)
    return whole, seen


def labelled_batches(
    bundle: Bundle, data: PictureList, batch_size: int = 8, threads: int | None = None
) -> Iterator[Batch]:
    """Read the pictures of a list as a bundle's inputs, with their labels; see `read_batches`."""
    for batch in read_batches(
        bundle.pipeline.from_file, data.paths, batch_size, threads
    ):
        labels = None if data.labels is None else data.labels[batch.indices]
        yield batch.inputs, labels


class _Stored:
    """The scores of the golden input, as a backend."""

    def __init__(self, scores: np.ndarray) -> None:
        self._scores = scores

    def run(self, batch: np.ndarray) -> np.ndarray:
        return self._scores


def _open_forms(
    bundle: Bundle,
    text: str,
    device: str,
    threads: int | None,
    calibration: str | None,
) -> _OpenForms:
    """Open the forms that a user asks for.

    Raises:
        UserError: A form that was named cannot run, or none can, or nothing reads the calibration pictures.
    """
    asked = parse_forms(text, device)
    if calibration is not None and CALIBRATED not in asked:
        raise UserError(
            f"pictures to calibrate on ({calibration}) are read by {CALIBRATED} alone, which is not compared here; "
            f"leave them out, or write --device gpu --backend {CALIBRATED}"
        )
    opened = _OpenForms({}, {})
    for form, is_named in asked.items():
        try:
            settings = form.settings(device, threads, calibration)
            opened.backends[form] = open_backend(bundle, settings)
        except Unavailable as error:
            if is_named:
                raise
            opened.left_out[form] = str(error)
    if not opened.backends:
        reasons = "; ".join(dict.fromkeys(opened.left_out.values()))
        raise UserError(f"{bundle.folder}: nothing can be run: {reasons}")
    return opened


def _golden_reference(
    golden: Golden, reference: Backend | None, opened: _OpenForms
) -> _Reference:
    """Compare on the golden picture, with the model's stored scores."""
    words = "the model's scores of the golden picture"
    if any(form.precision != "float32" for form in opened.backends):
        words += "; one picture proves little for a lower precision, give --data"
    backend = reference or _Stored(golden.scores)
    return _Reference(backend, words, [(golden.input, None)])


def _data_reference(
    bundle: Bundle,
    golden: Golden,
    data: PictureList,
    reference: Backend | None,
    shared: Backend | None,
    batch_size: int,
    threads: int | None,
) -> _Reference:
    """Compare on pictures, with the given model or with the float32 program (`shared` if that is open already)."""
    batches = labelled_batches(bundle, data, batch_size, threads)
    if reference is not None:
        words = f"the given model, on {len(data)} pictures"
        return _Reference(reference, words, batches)
    program = shared or open_backend(bundle, REFERENCE.settings("cpu", threads))
    agreement = agreement_with(golden, bundle.pipeline, program, bundle.folder)
    agreement.require(bundle.folder)
    words = f"Paddle's float32 program, which gives the model's golden scores, on {len(data)} pictures"
    return _Reference(program, words, batches)


def _result(
    form: Form, seen: Comparison, whole: Comparison, agreement: Agreement | None
) -> FormResult:
    problem = agreement.problem() if agreement else None
    failure = problem or failure_of(form.precision, seen, whole)
    return FormResult(form, seen, failure, agreement)
