"""The result of `ppcls verify`, as a table and as a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from ppcls.deployment.verify.comparison import Comparison
from ppcls.deployment.verify.forms import Form
from ppcls.inference.golden import Agreement, GoldenMismatch
from ppcls.utils.terminal import aligned

_HEADER = (
    "Backend",
    "Precision",
    "Max difference",
    "Mean difference",
    "Top-1 equal (%)",
    "Top-1 (%)",
    "Top-5 (%)",
    "Verdict",
)
_TEXT_COLUMNS = frozenset(("Backend", "Precision", "Verdict"))


@dataclass(frozen=True)
class FormResult:
    """The result for one form.

    Attributes:
        form: Backend and precision.
        seen: How its scores compare with the reference.
        failure: Which bound they exceed, or None.
        golden: How far they are from the golden picture's; None for other precisions than float32.
    """

    form: Form
    seen: Comparison
    failure: str | None = None
    golden: Agreement | None = None


@dataclass(frozen=True)
class VerificationReport:
    """The result for a bundle.

    Attributes:
        bundle: Its folder.
        reference: What the forms were compared with, in words.
        base: The reference compared with itself, for its accuracy.
        rows: One for each form that could be run.
        left_out: The other forms, each with the reason.
    """

    bundle: str
    reference: str
    base: Comparison
    rows: tuple[FormResult, ...]
    left_out: dict[Form, str]

    @property
    def failures(self) -> tuple[FormResult, ...]:
        """The forms that exceed a bound."""
        return tuple(row for row in self.rows if row.failure)

    def require(self) -> None:
        """Check that no form exceeds a bound.

        Raises:
            GoldenMismatch: One does; the message has every failure.
        """
        if self.failures:
            found = "; ".join(f"{row.form}: {row.failure}" for row in self.failures)
            raise GoldenMismatch(f"{self.bundle}: {found}")

    def table(self) -> str:
        """One line per form, then the forms that were left out, and what they were compared with."""
        cells = []
        if self.base.labelled:
            cells.append(
                ("reference", "float32", "-", "-", "-", *_accuracy(self.base), "-")
            )
        for row in self.rows:
            verdict = f"FAILED: {row.failure}" if row.failure else "passed"
            cells.append(_cells(row, verdict))
        lines = [aligned(_HEADER, cells, _TEXT_COLUMNS)]
        for form, reason in self.left_out.items():
            lines.append(f"left out: {form}: {reason}")
        return "\n".join([*lines, f"compared with {self.reference}"])


def _cells(row: FormResult, verdict: str) -> tuple[str, ...]:
    seen = row.seen
    return (
        row.form.backend,
        row.form.precision,
        f"{seen.max_difference:.1e}",
        f"{seen.mean_difference:.1e}",
        f"{100 * seen.agreement:.2f}",
        *_accuracy(seen),
        verdict,
    )


def _accuracy(seen: Comparison) -> list[str]:
    if not seen.labelled:
        return ["-", "-"]
    accuracy = seen.accuracy
    return [f"{100 * accuracy['top1']:.2f}", f"{100 * accuracy['top5']:.2f}"]
