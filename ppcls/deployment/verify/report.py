"""What `ppcls verify` finds, as a table and as a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from ppcls.deployment.verify.comparison import Comparison
from ppcls.deployment.verify.forms import Form
from ppcls.inference.golden import Agreement, GoldenMismatch
from ppcls.utils.text_table import aligned

_HEADER = (
    *(
        "Backend",
        "Precision",
        "Max difference",
        "Mean difference",
        "Top-1 equal (%)",
        "Top-1 (%)",
        "Top-5 (%)",
    ),
    "Verdict",
)
_TEXT_COLUMNS = frozenset(("Backend", "Precision", "Verdict"))


@dataclass(frozen=True)
class Row:
    """What was found of a form.

    Attributes:
        form: engine and precision.
        seen: how its scores compare.
        failure: which bound it passes, or None.
        golden: how far it is from the golden picture; None for other precisions than float32.
    """

    form: Form
    seen: Comparison
    failure: str | None = None
    golden: Agreement | None = None


@dataclass(frozen=True)
class Report:
    """What `verify` found.

    Attributes:
        bundle: its folder.
        reference: what the forms are compared with, in words.
        base: the reference compared with itself, for its accuracy.
        rows: one a form that could be run.
        left_out: the others, each with the reason.
    """

    bundle: str
    reference: str
    base: Comparison
    rows: tuple[Row, ...]
    left_out: dict[Form, str]

    @property
    def failures(self) -> tuple[Row, ...]:
        """The rows that pass a bound."""
        return tuple(row for row in self.rows if row.failure)

    def require(self) -> None:
        """Raises GoldenMismatch, with every failure, if there is one."""
        if self.failures:
            found = "; ".join(f"{row.form}: {row.failure}" for row in self.failures)
            raise GoldenMismatch(f"{self.bundle}: {found}")

    def table(self) -> str:
        """A line a form, what was left out, and what it was compared with."""
        cells = [
            _cells(
                row.form,
                row.seen,
                f"FAILED: {row.failure}" if row.failure else "passed",
            )
            for row in self.rows
        ]
        if self.base.labelled:
            cells.insert(
                0, ("reference", "float32", "-", "-", "-", *_accuracy(self.base), "-")
            )
        lines = [aligned(_HEADER, cells, _TEXT_COLUMNS)]
        lines += [
            f"left out: {form}: {reason}" for form, reason in self.left_out.items()
        ]
        return "\n".join([*lines, f"compared with {self.reference}"])


def _cells(form: Form, seen: Comparison, verdict: str) -> tuple[str, ...]:
    differences = (
        f"{seen.max_difference:.1e}",
        f"{seen.mean_difference:.1e}",
        f"{100 * seen.agreement:.2f}",
    )
    return (form.backend, form.precision, *differences, *_accuracy(seen), verdict)


def _accuracy(seen: Comparison) -> list[str]:
    return (
        [f"{100 * seen.accuracy[k]:.2f}" for k in ("top1", "top5")]
        if seen.labelled
        else ["-", "-"]
    )
