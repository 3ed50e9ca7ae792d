"""The gate: every form of a bundle, each engine and precision, against the model in float32.

At export the model itself scores the golden picture; those scores travel in the bundle, and the exported float32
program is held to them. So the golden picture is compared with the model, and pictures of one's own (`data`) with the
float32 program of Paddle, or with the model itself where the caller gives it as `reference`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from ppcls.data.picture_list import PictureList
from ppcls.deployment.verify.comparison import Comparison, failure_of
from ppcls.deployment.verify.forms import CALIBRATED, REFERENCE, Form, parse_forms
from ppcls.deployment.verify.report import Report, Row
from ppcls.inference.backends import Backend, open_backend
from ppcls.inference.bundle import Bundle
from ppcls.inference.golden import Golden, agreement_with
from ppcls.inference.reading import read_batches
from ppcls.utils.errors import Unavailable, UserError

Batch = tuple[np.ndarray, np.ndarray | None]  # inputs float32 [N, C, H, W], labels [N]


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
) -> Report:
    """Compares forms of a bundle with the model in float32.

    Args:
        bundle: its files are compared with their digests first.
        backends: which forms; see `parse_forms`. Or forms that are open already.
        data: pictures to compare by; the golden one alone by default, of which lower precisions prove little.
        reference: the model itself, which then takes the place of the golden scores and of the float32 program.
        device: `cpu` or `gpu`.
        batch_size: pictures that go through the model together.
        threads: of the kernels and of the reading; None takes every core.
        calibration: a list file or folder of pictures for TensorRT's int8; not those of `data`.

    Raises:
        GoldenMismatch: the preprocessing, or with `data` the float32 program, is not what was exported.
        UserError: the bundle is damaged, a form that was asked for by name cannot be run, or a picture not be read.
    """
    if bundle.golden is None:  # of another library's program
        raise UserError(
            f"{bundle.folder} has no golden picture, so nothing says what is right; export the model here"
        )
    bundle.checked(*bundle.entries)
    opened, left_out = _opened(bundle, backends, device, threads, calibration)
    golden = Golden.of(bundle)
    agreements = {
        form: agreement_with(golden, bundle.pipeline, b)
        for form, b in opened.items()
        if _exact(form)
    }
    base: Backend | None = reference
    if data is None:
        batches: Iterable[Batch] = [(golden.input, None)]
        base, said = (
            base or _Stored(golden.scores),
            f"the model's scores of the golden {_one_picture(opened)}",
        )
    else:
        batches = labelled_batches(bundle, data, batch_size, threads)
        said = f"the model that was given, by {len(data)} pictures"
        if base is None:
            # A GPU may round products to TF32
            shared = opened.get(REFERENCE) if device == "cpu" else None
            base = shared or open_backend(bundle, REFERENCE.settings("cpu", threads))
            agreement_with(golden, bundle.pipeline, base).require(bundle.folder)
            said = f"Paddle's float32 program, which gives the model's golden scores, by {len(data)} pictures"
    whole, seen = compare(opened, base, batches)
    rows = []
    for form in opened:
        agreement = agreements.get(form)
        problem = agreement.problem() if agreement else None
        rows.append(
            Row(
                form,
                seen[form],
                problem or failure_of(form.precision, seen[form], whole),
                agreement,
            )
        )
    return Report(str(bundle.folder), said, whole, tuple(rows), left_out)


class _Stored:
    """The scores of the golden input, as a backend."""

    def __init__(self, scores: np.ndarray) -> None:
        self._scores = scores

    def run(self, batch: np.ndarray) -> np.ndarray:
        return self._scores


def _one_picture(opened: Iterable[Form]) -> str:
    lower = not all(map(_exact, opened))
    return (
        "picture; one picture proves little of a lower precision, give --data"
        if lower
        else "picture"
    )


def _exact(form: Form) -> bool:
    return form.precision == "float32"


def _opened(
    bundle: Bundle,
    backends: str | Mapping[Form, Backend],
    device: str,
    threads: int | None,
    calibration: str | None,
) -> tuple[dict[Form, Backend], dict[Form, str]]:
    """The forms that can be run, and why the others cannot; UserError for one that was asked for by name."""
    if not isinstance(backends, str):
        return dict(backends), {}
    opened: dict[Form, Backend] = {}
    left_out: dict[Form, str] = {}
    asked = parse_forms(backends, device)
    if calibration is not None and CALIBRATED not in asked:
        raise UserError(
            f"pictures to calibrate on ({calibration}) are for {CALIBRATED} alone, which is not compared here; leave "
            f"them out, or write --device gpu --backend {CALIBRATED}"
        )
    for form, by_name in asked.items():
        try:
            opened[form] = open_backend(
                bundle, form.settings(device, threads, calibration)
            )
        except Unavailable as error:
            if by_name:
                raise
            left_out[form] = str(error)
    if not opened:
        raise UserError(
            f"{bundle.folder}: nothing can be run: {'; '.join(dict.fromkeys(left_out.values()))}"
        )
    return opened, left_out


def compare(
    opened: Mapping[Form, Backend], reference: Backend, batches: Iterable[Batch]
) -> tuple[Comparison, dict[Form, Comparison]]:
    """Sends every batch through every form.

    Args:
        opened: the forms.
        reference: what they are compared with; one of them may be it.
        batches: inputs, and labels for all of them or for none.

    Returns:
        The reference against itself, which has its accuracy, and each form against the reference.
    """
    whole, seen = Comparison(), {form: Comparison() for form in opened}
    for inputs, labels in batches:
        expected = reference.run(inputs)
        whole.add(expected, expected, labels)
        for form, backend in opened.items():
            seen[form].add(
                expected if backend is reference else backend.run(inputs),
                expected,
                labels,
            )
    return whole, seen


def labelled_batches(
    bundle: Bundle, data: PictureList, batch_size: int = 8, threads: int | None = None
) -> Iterator[Batch]:
    """The pictures as a bundle takes them, and their labels; see `read_batches`."""
    start = 0
    for inputs in read_batches(
        bundle.pipeline.from_file, data.paths, batch_size, threads
    ):
        yield (
            inputs,
            None if data.labels is None else data.labels[start : start + len(inputs)],
        )
        start += len(inputs)
