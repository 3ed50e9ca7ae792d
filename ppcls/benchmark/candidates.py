"""Settings that compete for one bundle: which there are, which one wins, and the table that shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ppcls.benchmark.tables import spread
from ppcls.benchmark.timing import Timing
from ppcls.deployment.verify.forms import FORMS
from ppcls.inference.settings import Settings, settings_of
from ppcls.utils.errors import expect
from ppcls.utils.terminal import aligned


@dataclass(frozen=True)
class Candidate:
    """Settings that were tried.

    Attributes:
        settings: The settings for the bundle.
        timing: Seconds per batch; None where it could not be run.
        refused: Why it could not be run, or must not be chosen.
    """

    settings: Settings
    timing: Timing | None = None
    refused: str | None = None


def candidates(
    device: str,
    precisions: Sequence[str],
    threads: Sequence[int | None],
    requests: Sequence[int],
) -> list[Settings]:
    """Every combination that some backend offers on the device.

    Raises:
        UserError: No backend offers one of the precisions.
    """
    found = []
    for precision in precisions:
        forms = [form for form in FORMS[device] if form.precision == precision]
        expect(
            forms,
            f"no backend computes in {precision} on a {device}; leave it out of --precision",
        )
        for form in forms:
            for count in threads:
                for flight in requests:
                    settings = settings_of(
                        form.backend,
                        precision,
                        device=device,
                        threads=count,
                        requests=flight,
                    )
                    found.append(settings)
    return found


def threads_worth_trying(cores: int) -> tuple[int | None, ...]:
    """All cores, and half of them where there are many: two cores of a machine may share one arithmetic unit."""
    return (None, cores // 2) if cores >= 4 else (None,)


def choose(measured: Sequence[Candidate]) -> Candidate | None:
    """The fastest candidate that may be chosen; None if there is none."""
    eligible = []
    for candidate in measured:
        if candidate.timing is not None and candidate.refused is None:
            eligible.append(candidate)
    return min(eligible, key=_seconds, default=None)


def _seconds(candidate: Candidate) -> float:
    """The time by which candidates are compared; infinite if it could not be run."""
    if candidate.timing is None:
        return math.inf
    return candidate.timing.undisturbed


def candidate_table(measured: Sequence[Candidate], batch: int) -> str:
    """The candidates, fastest first, then those that could not be run; below it why one must not be chosen."""
    chosen = choose(measured)
    rows, reasons = [], {}
    for candidate in sorted(measured, key=_seconds):
        rows.append(_cells(candidate, chosen, batch))
        settings = candidate.settings
        if candidate.refused is not None:
            form = f"{settings.backend}, {settings.precision}"
            reasons[form] = f"{form}: {rows[-1][-1]}: {candidate.refused}"
    header = [
        "backend",
        "precision",
        "threads",
        "requests",
        f"batch {batch} (ms)",
        "images/s",
        "first quartile",
        "verdict",
    ]
    table = aligned(header, rows, ("backend", "precision", "verdict"))
    return "\n".join([table, *reasons.values()]) + "\n"


def described(settings: Settings) -> str:
    """`openvino, float32, cpu, all cores, 1 request`, for a sentence."""
    threads = "all cores" if settings.threads is None else f"{settings.threads} threads"
    requests = f"{settings.requests} request{'s' if settings.requests > 1 else ''}"
    return f"{settings.backend}, {settings.precision}, {settings.device}, {threads}, {requests}"


def _cells(candidate: Candidate, chosen: Candidate | None, batch: int) -> list[str]:
    settings, timing = candidate.settings, candidate.timing
    cells = [
        settings.backend,
        settings.precision,
        str(settings.threads or "all"),
        str(settings.requests),
    ]
    if timing is None:
        return [*cells, "", "", "", "not measured"]
    ratio = ""
    if chosen is not None and chosen.timing is not None:
        ratio = f"x {timing.undisturbed / chosen.timing.undisturbed:.3f}"
    milliseconds = spread(
        1e3 * timing.median, 1e3 * timing.percentile(5), 1e3 * timing.percentile(95)
    )
    verdict = "refused" if candidate.refused else ""
    if candidate is chosen:
        verdict = "chosen"
    return [*cells, milliseconds, f"{batch / timing.median:.1f}", ratio, verdict]
