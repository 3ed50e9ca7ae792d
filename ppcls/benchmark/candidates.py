"""Settings that compete for one bundle: which there are, which of them wins, and the table that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ppcls.benchmark.tables import markdown, spread
from ppcls.benchmark.timing import Timing
from ppcls.deployment.verify.forms import FORMS
from ppcls.inference.settings import Settings, settings_of
from ppcls.utils.errors import UserError


@dataclass(frozen=True)
class Candidate:
    """Settings that were tried.

    Attributes:
        settings: what the bundle would carry.
        timing: seconds a batch; None where it could not be run.
        refused: why it could not be run, or must not be chosen.
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
        UserError: one of the precisions is offered by none.
    """
    for precision in precisions:
        if all(form.precision != precision for form in FORMS[device]):
            raise UserError(
                f"no backend computes in {precision} on a {device}; leave it out of --precision"
            )
    return [
        settings_of(
            form.backend, precision, device=device, threads=count, requests=flight
        )
        for precision in precisions
        for form in FORMS[device]
        if form.precision == precision
        for count in threads
        for flight in requests
    ]


def threads_worth_trying(cores: int) -> tuple[int | None, ...]:
    """All cores, and half of them where there are many: two cores of a machine may share one arithmetic unit."""
    return (None, cores // 2) if cores >= 4 else (None,)


def choose(measured: Sequence[Candidate]) -> Candidate | None:
    """The fastest of those that may be chosen; None without one."""
    able = [
        (one.timing.undisturbed, one)
        for one in measured
        if one.timing and one.refused is None
    ]
    return min(able, key=lambda pair: pair[0])[1] if able else None


def table(measured: Sequence[Candidate], batch: int) -> str:
    """Markdown: the candidates, fastest first, then those that could not be run."""
    chosen = choose(measured)
    timed = sorted(
        (one.timing.undisturbed, place)
        for place, one in enumerate(measured)
        if one.timing
    )
    rows = [_row(measured[place], chosen, batch) for _, place in timed]
    rows += [_row(one, chosen, batch) for one in measured if one.timing is None]
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
    return markdown(header, rows)


def described(settings: Settings) -> str:
    """`openvino, float32, cpu, all cores, 1 request`, as a sentence names settings."""
    threads = "all cores" if settings.threads is None else f"{settings.threads} threads"
    requests = (
        "1 request" if settings.requests == 1 else f"{settings.requests} requests"
    )
    return f"{settings.engine}, {settings.precision}, {settings.device}, {threads}, {requests}"


def _row(one: Candidate, chosen: Candidate | None, batch: int) -> list[object]:
    settings = one.settings
    name = [
        settings.engine,
        settings.precision,
        settings.threads or "all",
        settings.requests,
    ]
    if one.timing is None:
        return [*name, None, None, None, f"not measured: {one.refused}"]
    milliseconds = [1e3 * one.timing.percentile(percent) for percent in (50, 5, 95)]
    ratio = (
        f"x {one.timing.undisturbed / chosen.timing.undisturbed:.3f}"
        if chosen and chosen.timing
        else None
    )
    verdict = "chosen" if one is chosen else one.refused
    return [
        *name,
        spread(*milliseconds),
        f"{batch / one.timing.median:.1f}",
        ratio,
        verdict,
    ]
