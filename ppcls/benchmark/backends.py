"""Which engine is the fastest for one bundle on this machine, measured until the answer is settled."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from ppcls.benchmark.candidates import Candidate
from ppcls.benchmark.latency import Open
from ppcls.benchmark.timing import Clock, Plan, Timing, time_in_turns
from ppcls.benchmark.work import batch_of, batches_a_call, work_of
from ppcls.data.picture_list import PictureList
from ppcls.deployment.verify.forms import Form
from ppcls.deployment.verify.run import verify
from ppcls.inference.backends import Backend, open_backend
from ppcls.inference.bundle import Bundle
from ppcls.inference.settings import Settings
from ppcls.utils.errors import Unavailable

GOALS = ("throughput", "latency")
# Times the fastest: what the chosen one may take in each half of the calls
SETTLED = 1.02
PASSES = 6
# Says why a candidate must not be chosen; None if it may.
Gate = Callable[[Bundle, Settings, Backend], str | None]
Timings = Mapping[Settings, Timing]


@dataclass(frozen=True)
class Measurement:
    """What was measured.

    Attributes:
        candidates: one for each of the settings that were tried.
        doubt: the time that the chosen one takes against the fastest, in that half of the calls where it does worse.
    """

    candidates: list[Candidate]
    doubt: float

    @property
    def settled(self) -> bool:
        """Whether both halves name the same one, or one that is as good."""
        return self.doubt <= SETTLED


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
) -> Measurement:
    """Opens, checks and times each of `tried`, in turns, until the fastest is settled or `PASSES` are over.

    Args:
        bundle: what is run.
        tried: the candidates' settings.
        batch: pictures a batch.
        goal: `throughput` keeps as many batches running as the settings allow, `latency` runs one at a time.
        plan: how much is measured in a pass; there are two passes at least.
        allowed: precisions that may be chosen.
        gate: decides, once for each backend and allowed precision, whether its scores are good enough.
        open_it: opens the backends.
        clock: seconds since some moment.
    """
    opened = {settings: _open(bundle, settings, open_it) for settings in tried}
    running = {
        settings: backend
        for settings, backend in opened.items()
        if not isinstance(backend, str)
    }
    refused = _refused(bundle, running, allowed, gate)
    able = [settings for settings, reason in refused.items() if reason is None]
    flight = {
        settings: settings.requests if goal == "throughput" else 1
        for settings in running
    }
    halves: list[Timings] = [{}, {}]
    with ExitStack() as stack:
        works = {
            settings: stack.enter_context(
                work_of(backend, batch_of(bundle, batch), flight[settings])
            )
            for settings, backend in running.items()
        }
        for number in range(PASSES):
            calls = time_in_turns(works, plan, clock)
            batches = {
                settings: timing.divided(batches_a_call(flight[settings]))
                for settings, timing in calls.items()
            }
            halves[number % 2] = _joined(halves[number % 2], batches)
            if number % 2 and doubt_of(halves[0], halves[1], able) <= SETTLED:
                break
    timings = _joined(halves[0], halves[1])
    found = [
        Candidate(settings, timings[settings], refused[settings])
        if settings in timings
        else Candidate(settings, refused=str(opened[settings]))
        for settings in tried
    ]
    return Measurement(found, doubt_of(halves[0], halves[1], able))


def doubt_of(one: Timings, other: Timings, able: Sequence[Settings]) -> float:
    """How far the fastest of all calls is from the fastest of each half, the worse of the two; 1 where it is theirs."""
    if not able:
        return 1.0
    whole = _joined(one, other)
    chosen = min(able, key=lambda settings: whole[settings].undisturbed)
    return max(
        half[chosen].undisturbed / min(half[rival].undisturbed for rival in able)
        for half in (one, other)
    )


def verifying_gate(data: PictureList | None, device: str = "cpu") -> Gate:
    """The gate of `ppcls verify`: float32 by the golden picture, other precisions by the pictures of `data`."""

    def gate(bundle: Bundle, settings: Settings, backend: Backend) -> str | None:
        form = Form(settings.engine, settings.precision)
        pictures = None if settings.precision == "float32" else data
        (row,) = verify(
            bundle, {form: backend}, pictures, device=device, threads=settings.threads
        ).rows
        return row.failure

    return gate


def _refused(
    bundle: Bundle,
    running: Mapping[Settings, Backend],
    allowed: Collection[str],
    gate: Gate,
) -> dict[Settings, str | None]:
    """Why candidates must not be chosen; threads and requests make no difference."""
    verdicts: dict[tuple[str, str], str | None] = {}
    for settings, backend in running.items():
        form = settings.engine, settings.precision
        if form not in verdicts:
            barred = f"`--allow {settings.precision}` would let it be chosen"
            verdicts[form] = (
                gate(bundle, settings, backend)
                if settings.precision in allowed
                else barred
            )
    return {
        settings: verdicts[settings.engine, settings.precision] for settings in running
    }


def _joined(one: Timings, other: Timings) -> dict[Settings, Timing]:
    """The calls of both."""
    return {
        key: Timing((*(one[key].seconds if key in one else ()), *other[key].seconds))
        for key in other
    }


def _open(bundle: Bundle, settings: Settings, open_it: Open) -> Backend | str:
    try:
        return open_it(bundle, settings)
    except Unavailable as error:
        return str(error)
