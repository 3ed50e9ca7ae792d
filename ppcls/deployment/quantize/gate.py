"""Whether an int8 form may be kept: it is compared with float32 on pictures that it was not calibrated on.

The bounds and the counting are those of `ppcls verify`.
"""

from __future__ import annotations

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


def judge(
    bundle: Bundle,
    quantized: Quantized,
    folder: Path,
    samples: Samples,
    indices: list[int],
) -> VerificationReport:
    """Compares an int8 form with the bundle's own float32 program.

    Args:
        bundle: its float32 program is held to the golden scores first.
        quantized: the form.
        folder: where its files lie.
        samples: pictures; accuracy counts where they have labels, else equal answers.
        indices: which of them.

    Raises:
        GoldenMismatch: the float32 program is not the one that was exported.
        UserError: a file is damaged, or no picture could be read.
    """
    form = Form(quantized.backend, "int8")
    int8 = open_backend(
        replace(bundle, folder=folder, quantized=(quantized,)), form.settings()
    )
    reference = open_backend(bundle, REFERENCE.settings())
    agreement_with(Golden.of(bundle), bundle.pipeline, reference).require(bundle.folder)
    whole, seen = compare({form: int8}, reference, samples.batches(indices, _BATCH))
    if not whole.pictures:
        raise UserError(samples.none_readable(len(indices)))
    row = FormResult(form, seen[form], failure_of(form.precision, seen[form], whole))
    said = f"Paddle's float32 program, on {whole.pictures} pictures that it was not calibrated on"
    return VerificationReport(str(bundle.folder), said, whole, (row,), {})
