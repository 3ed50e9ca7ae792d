"""Whether an int8 form may be kept: it is compared with float32 on pictures that it was not calibrated on.

The bounds and the counting are those of `ppcls verify`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ppcls.deployment.quantize.samples import Samples
from ppcls.deployment.verify.comparison import failure_of
from ppcls.deployment.verify.forms import REFERENCE, Form
from ppcls.deployment.verify.report import FormResult, VerificationReport
from ppcls.deployment.verify.run import compare
from ppcls.inference.backends import open_backend
from ppcls.inference.bundle import Bundle
from ppcls.inference.entries import Quantized
from ppcls.inference.golden import Golden, agreement_with
from ppcls.utils.errors import UserError

_BATCH = 8


def compare_int8(
    bundle: Bundle,
    quantized: Quantized,
    folder: Path,
    samples: Samples,
    indices: Sequence[int],
) -> VerificationReport:
    """Compare an int8 form with the bundle's float32 program.

    Args:
        bundle: The bundle; its float32 program is compared with the golden scores first.
        quantized: The int8 form.
        folder: The folder of its files.
        samples: Pictures; with labels the accuracies are compared, otherwise the first classes.
        indices: Which of them.

    Raises:
        GoldenMismatch: The float32 program is not the one that was exported.
        UserError: A file is damaged, or no picture can be read.
    """
    form = Form(quantized.backend, "int8")
    with_int8 = replace(bundle, folder=folder, quantized=(quantized,))
    int8 = open_backend(with_int8, form.settings())
    reference = open_backend(bundle, REFERENCE.settings())
    agreement = agreement_with(
        Golden.of(bundle), bundle.pipeline, reference, bundle.folder
    )
    agreement.require(bundle.folder)
    batches = samples.batches(indices, _BATCH)
    whole, seen = compare({form: int8}, reference, batches)
    if not whole.pictures:
        raise UserError(samples.none_readable(len(indices)))
    failure = failure_of(form.precision, seen[form], whole)
    result = FormResult(form, seen[form], failure)
    words = f"Paddle's float32 program, on {whole.pictures} pictures that it was not calibrated on"
    return VerificationReport(str(bundle.folder), words, whole, (result,), {})
