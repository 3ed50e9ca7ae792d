"""Whether an int8 form may be kept: it is compared with float32 on pictures that it was not calibrated on.

The bounds and the counting are those of `ppcls verify`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ppcls.deployment.quantize.samples import Samples
from ppcls.deployment.verify.comparison import failure_of
from ppcls.deployment.verify.forms import REFERENCE, Form
from ppcls.deployment.verify.report import FormResult, VerificationReport
from ppcls.deployment.verify.run import compare
from ppcls.inference.backends import Backend, open_backend
from ppcls.inference.bundle import Bundle
from ppcls.inference.golden import Golden, agreement_with
from ppcls.utils.errors import UserError

_BATCH = 8


def compare_int8(
    bundle: Bundle,
    form: Form,
    int8: Backend,
    samples: Samples,
    indices: Sequence[int],
    which: str = "that it was not calibrated on",
) -> VerificationReport:
    """Compare an int8 form with the bundle's float32 program.

    Args:
        bundle: The bundle; its float32 program is compared with the golden scores first.
        form: Backend and precision, for the report.
        int8: Runs the int8 program.
        samples: Pictures; with labels the accuracies are compared, otherwise the first classes.
        indices: Which of them.
        which: What is to be known of the pictures, for the report.

    Raises:
        GoldenMismatch: The float32 program is not the one that was exported.
        UserError: A file is damaged, or no picture can be read.
    """
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
    words = f"Paddle's float32 program, on {whole.pictures} pictures {which}"
    return VerificationReport(str(bundle.folder), words, whole, (result,), {})
