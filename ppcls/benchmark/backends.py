"""Which backend is the fastest for one bundle on this machine, measured until two halves of the calls agree."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

from tqdm import tqdm

from ppcls.benchmark.candidates import Candidate
from ppcls.benchmark.latency import Open
from ppcls.benchmark.timing import Clock, Plan, Timing, time_interleaved
from ppcls.benchmark.work import batch_of, batches_per_call, work_of
from ppcls.data.picture_list import PictureList
from ppcls.deployment.verify.forms import Form
from ppcls.deployment.verify.run import verify
from ppcls.inference.backends import Backend, open_backend
from ppcls.inference.bundle import Bundle
from ppcls.inference.settings import Settings
from ppcls.utils.errors import Unavailable

GOALS = ("throughput", "latency")
# The chosen candidate may take this many times the fastest one's time in each half of the calls.
SETTLED = 1.02
PASSES = 6
# Gives the reason why a candidate must not be chosen; None if it may.
Gate = Callable[[Bundle, Settings, Backend], str | None]
Timings = dict[Settings, Timing]


@dataclass(frozen=True)
class BackendMeasurement:
    """The result for one bundle.

    Attributes:
        candidates: One for each of the settings that were tried.
        worst_ratio: The time of the chosen one over that of the fastest, in the half of the calls where it is larger.
    """

    candidates: list[Candidate]
    worst_ratio: float

    @property
    def settled(self) -> bool:
        """Whether the chosen one is the fastest in both halves, or nearly so."""
        return self.worst_ratio <= SETTLED


class _OpenCandidates(NamedTuple):
    """Backends by their settings, and for the others why they cannot run."""

    backends: dict[Settings, Backend]
    reasons: dict[Settings, str]


def measure_backends(
    bundle: Bundle,
    tried: Sequence[Settings],
    batch: int,
    goal: str,
    plan: Plan,
    allowed: Collection[str],
    gate: Gate,
    open_it: Open = open_backend,
    clock: Clock = time.perf_counter,
) -> BackendMeasurement:
    """Open, check and time each candidate, in interleaved rounds, until the fastest is settled or `PASSES` are over.

    Args:
        bundle: The bundle to run.
        tried: The candidates' settings.
        batch: Pictures per batch.
        goal: `throughput` runs as many batches at a time as the settings say, `latency` one.
        plan: How much is measured in one pass; there are at least two passes.
        allowed: Precisions that may be chosen.
        gate: Decides, once for each backend and allowed precision, whether its scores are good enough.
        open_it: Opens a backend.
        clock: Gives seconds.
    """
    opened = _open_all(bundle, tried, open_it)
    refused = _refusals(bundle, opened.backends, allowed, gate)
    eligible = [settings for settings in opened.backends if settings not in refused]
    inputs = batch_of(bundle, batch)
    works: dict[Settings, Callable[[], object]] = {}
    batches: dict[Settings, int] = {}
    with ExitStack() as stack:
        for settings, backend in opened.backends.items():
            requests = settings.requests if goal == "throughput" else 1
            work = work_of(backend, inputs, requests)
            works[settings] = stack.enter_context(work)
            batches[settings] = batches_per_call(requests)
        halves = _time_halves(works, batches, eligible, plan, clock)
    candidates = []
    for settings in tried:
        if settings in opened.backends:
            timing = halves[0][settings].joined(halves[1][settings])
            candidates.append(Candidate(settings, timing, refused.get(settings)))
        else:
            reason = opened.reasons[settings]
            candidates.append(Candidate(settings, refused=reason))
    return BackendMeasurement(candidates, worst_ratio(*halves, eligible))


def _time_halves(
    works: Mapping[Settings, Callable[[], object]],
    batches: Mapping[Settings, int],
    eligible: Sequence[Settings],
    plan: Plan,
    clock: Clock,
) -> tuple[Timings, Timings]:
    """Time passes, alternately for two halves, until both agree about the fastest or `PASSES` are over.

    Args:
        works: What to call for each candidate.
        batches: How many batches one call runs.
        eligible: The candidates that may be chosen.
        plan: How much is measured in one pass.
        clock: Gives seconds.

    Returns:
        The seconds per batch in each half.
    """
    one: Timings = dict.fromkeys(works, Timing(()))
    other: Timings = dict.fromkeys(works, Timing(()))
    done = 0
    for _ in range(PASSES // 2):
        for half in (one, other):
            done += 1
            title = f"pass {done} of 2 to {PASSES}"
            timed = time_interleaved(works, plan, clock, title)
            for settings, calls in timed.items():
                per_batch = calls.divided(batches[settings])
                half[settings] = half[settings].joined(per_batch)
        if worst_ratio(one, other, eligible) <= SETTLED:
            break
    return one, other


def worst_ratio(
    one: Mapping[Settings, Timing],
    other: Mapping[Settings, Timing],
    eligible: Sequence[Settings],
) -> float:
    """How far the fastest of all calls is from the fastest of each half, the larger of the two; 1 where it is both.

    Args:
        one: The timings of one half.
        other: The timings of the other half.
        eligible: The candidates that may be chosen.
    """
    if not eligible:
        return 1.0

    def seconds(settings: Settings) -> float:
        return one[settings].joined(other[settings]).undisturbed

    chosen = min(eligible, key=seconds)
    worst = 1.0
    for half in (one, other):
        fastest = min(half[settings].undisturbed for settings in eligible)
        worst = max(worst, half[chosen].undisturbed / fastest)
    return worst


def verifying_gate(data: PictureList | None, device: str = "cpu") -> Gate:
    """The gate of `ppcls verify`: float32 by the golden picture, other precisions by the pictures of `data`."""

    def gate(bundle: Bundle, settings: Settings, backend: Backend) -> str | None:
        form = Form(settings.backend, settings.precision)
        pictures = None if settings.precision == "float32" else data
        report = verify(
            bundle, {form: backend}, pictures, device=device, threads=settings.threads
        )
        return report.rows[0].failure

    return gate


def _open_all(
    bundle: Bundle, tried: Sequence[Settings], open_it: Open
) -> _OpenCandidates:
    opened = _OpenCandidates({}, {})
    for settings in tqdm(
        tried,
        desc="open",
        unit="backend",
        leave=False,
        dynamic_ncols=True,
        disable=None,
    ):
        try:
            opened.backends[settings] = open_it(bundle, settings)
        except Unavailable as error:
            opened.reasons[settings] = str(error)
    return opened


def _refusals(
    bundle: Bundle,
    backends: Mapping[Settings, Backend],
    allowed: Collection[str],
    gate: Gate,
) -> dict[Settings, str]:
    """Why candidates must not be chosen; threads and requests make no difference to that."""
    verdicts: dict[tuple[str, str], str | None] = {}
    refused = {}
    for settings, backend in tqdm(
        backends.items(),
        desc="verify",
        unit="backend",
        leave=False,
        dynamic_ncols=True,
        disable=None,
    ):
        form = settings.backend, settings.precision
        if settings.precision not in allowed:
            verdicts[form] = f"`--allow {settings.precision}` would let it be chosen"
        elif form not in verdicts:
            verdicts[form] = gate(bundle, settings, backend)
        reason = verdicts[form]
        if reason is not None:
            refused[settings] = reason
    return refused
