"""Which engine is the fastest for one bundle on this machine: candidates, their timing, and the choice."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Callable, Collection, Dict, List, Optional, Sequence, Tuple, Union

from ppcls.inference.backends import Backend, open_backend
from ppcls.inference.bundle import Bundle
from ppcls.inference.golden import Golden, GoldenMismatch, agreement_with
from ppcls.inference.measure.latency import Open
from ppcls.inference.measure.tables import markdown, spread
from ppcls.inference.measure.timing import Clock, Plan, Timing, time_in_turns
from ppcls.inference.measure.work import batch_of, batches_a_call, work_of
from ppcls.inference.settings import OFFERED, Settings
from ppcls.utils.errors import UserError

GOALS = ("throughput", "latency")
# Says why a candidate must not be chosen, as the end of a sentence; None if it may.
Gate = Callable[[Bundle, Settings, Backend], Optional[str]]


@dataclass(frozen=True)
class Candidate:
    """Settings that were tried.

    Attributes:
        settings: what the bundle would carry.
        timing: seconds a batch; None where it could not be run.
        refused: why it could not be run, or must not be chosen.
    """

    settings: Settings
    timing: Optional[Timing] = None
    refused: Optional[str] = None


def candidates(
    device: str, precisions: Sequence[str], threads: Sequence[Optional[int]], requests: Sequence[int]
) -> List[Settings]:
    """Every combination that some backend offers on the device.

    Raises:
        UserError: one of the precisions is offered by none.
    """
    for precision in precisions:
        if not any(precision in offered.get(device, ()) for offered in OFFERED.values()):
            raise UserError(f"no backend computes in {precision} on a {device}; leave it out of --precisions")
    return [
        Settings(backend, precision, device, count, flight)
        for precision in precisions
        for backend, offered in OFFERED.items()
        if precision in offered.get(device, ())
        for count in threads
        for flight in requests
    ]


def threads_worth_trying(cores: int) -> Tuple[Optional[int], ...]:
    """All cores, and half of them where there are many: two cores of a machine may share one arithmetic unit."""
    return (None, cores // 2) if cores >= 4 else (None,)


def measure(
    bundle: Bundle,
    tried: Sequence[Settings],
    batch: int,
    goal: str,
    plan: Plan,
    allowed: Collection[str],
    gate: Gate,
    open_it: Open = open_backend,
    clock: Clock = time.perf_counter,
) -> List[Candidate]:
    """Opens, checks and times each of `tried`, in turns.

    Args:
        bundle: what is run.
        tried: the candidates' settings.
        batch: pictures a batch.
        goal: `throughput` keeps as many batches running as the settings allow, `latency` runs one at a time.
        plan: how much is measured.
        allowed: precisions that may be chosen.
        gate: decides, once for each backend and allowed precision, whether its scores are good enough.
        open_it: opens the backends.
        clock: seconds since some moment.
    """
    opened = {settings: _open(bundle, settings, open_it) for settings in tried}
    running = {settings: backend for settings, backend in opened.items() if not isinstance(backend, str)}
    flight = {settings: settings.requests if goal == "throughput" else 1 for settings in running}
    with ExitStack() as stack:
        works = {
            settings: stack.enter_context(work_of(backend, batch_of(bundle, batch), flight[settings]))
            for settings, backend in running.items()
        }
        timings = time_in_turns(works, plan, clock)
    refused: Dict[Tuple[str, str], Optional[str]] = {}
    for settings, backend in running.items():
        if _form(settings) not in refused:
            barred = f"`--allow {settings.precision}` would let it be chosen"
            refused[_form(settings)] = gate(bundle, settings, backend) if settings.precision in allowed else barred
    return [
        Candidate(settings, timings[settings].divided(batches_a_call(flight[settings])), refused[_form(settings)])
        if settings in running
        else Candidate(settings, refused=str(opened[settings]))
        for settings in tried
    ]


def golden_gate(bundle: Bundle, settings: Settings, backend: Backend) -> Optional[str]:
    """Sends the bundle's golden picture through a float32 candidate."""
    golden = Golden.load(bundle.path_of(bundle.golden))
    try:
        agreement_with(golden, bundle.pipeline, backend).require(bundle.folder)
    except GoldenMismatch as error:
        return str(error)
    return None


def choose(measured: Sequence[Candidate]) -> Optional[Candidate]:
    """The fastest of those that may be chosen; None without one."""
    able = [(one.timing.undisturbed, one) for one in measured if one.timing and one.refused is None]
    return min(able, key=lambda pair: pair[0])[1] if able else None


def table(measured: Sequence[Candidate], batch: int) -> str:
    """Markdown: the candidates, fastest first, then those that could not be run."""
    chosen = choose(measured)
    timed = sorted((one.timing.undisturbed, place) for place, one in enumerate(measured) if one.timing)
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
    requests = "1 request" if settings.requests == 1 else f"{settings.requests} requests"
    return f"{settings.backend}, {settings.precision}, {settings.device}, {threads}, {requests}"


def _open(bundle: Bundle, settings: Settings, open_it: Open) -> Union[Backend, str]:
    try:
        return open_it(bundle, settings)
    except UserError as error:
        return str(error)


def _form(settings: Settings) -> Tuple[str, str]:
    """What decides the scores; threads and requests decide the speed only."""
    return settings.backend, settings.precision


def _row(one: Candidate, chosen: Optional[Candidate], batch: int) -> List[object]:
    settings = one.settings
    name = [settings.backend, settings.precision, settings.threads or "all", settings.requests]
    if one.timing is None:
        return [*name, None, None, None, f"not measured: {one.refused}"]
    milliseconds = [1e3 * one.timing.percentile(percent) for percent in (50, 5, 95)]
    ratio = f"x {one.timing.undisturbed / chosen.timing.undisturbed:.3f}" if chosen and chosen.timing else None
    verdict = "chosen" if one is chosen else one.refused
    return [*name, spread(*milliseconds), f"{batch / one.timing.median:.1f}", ratio, verdict]
