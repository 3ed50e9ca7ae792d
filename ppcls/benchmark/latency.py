"""The latency of one model: by each backend, in each precision, at each batch size, measured in interleaved rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import NamedTuple

from ppcls.benchmark.timing import Clock, Plan, Timing, time_interleaved
from ppcls.benchmark.work import batch_of, work_of
from ppcls.inference.backends import Backend, open_backend
from ppcls.inference.bundle import Bundle
from ppcls.inference.settings import Settings, settings_of
from ppcls.utils.errors import UserError

Open = Callable[[Bundle, Settings], Backend]


@dataclass(frozen=True)
class LatencyCase:
    """One way to run a model, as the user wrote it: `trt`, `float16`, 8."""

    backend: str
    precision: str
    batch: int


@dataclass(frozen=True)
class LatencyRow:
    """The latency of a model in one case.

    Attributes:
        model: Its name.
        crop: Height and width of its input in pixels, `224x224`.
        resize_short: The short side before the crop in pixels; None where the transforms have none.
        backend: As the user wrote it.
        precision: The precision of the arithmetic.
        batch: Pictures per call.
        median_ms: Milliseconds of the middle call, whole batch; None where nothing was measured.
        p5_ms: The 5th percentile of the calls.
        p95_ms: The 95th percentile of the calls.
        calls: How many were timed.
        reason: Why nothing was measured.
        form_digest: Identifies the files that were run, see `ppcls.deployment.verify.forms.form_digest`; empty where
            it is not known.
    """

    model: str
    crop: str
    resize_short: int | None
    backend: str
    precision: str
    batch: int
    median_ms: float | None = None
    p5_ms: float | None = None
    p95_ms: float | None = None
    calls: int = 0
    reason: str | None = None
    form_digest: str = ""

    @property
    def case(self) -> LatencyCase:
        """How the model was run."""
        return LatencyCase(self.backend, self.precision, self.batch)

    @property
    def key(self) -> tuple[str, LatencyCase]:
        """The model and the case, of which a sheet has one row."""
        return self.model, self.case

    @property
    def origin(self) -> str:
        """What the figures depend on besides the machine."""
        return self.form_digest


class _OpenBackends(NamedTuple):
    """Backends by name and precision, and for the others why they cannot run."""

    backends: dict[tuple[str, str], Backend]
    reasons: dict[tuple[str, str], str]


def measure_latency(
    model: str,
    bundle: Bundle,
    cases: Sequence[LatencyCase],
    settings: Settings,
    plan: Plan,
    open_it: Open = open_backend,
    clock: Clock = time.perf_counter,
) -> list[LatencyRow]:
    """Measure a row for each case, in their order; a case that this machine cannot run gets the reason.

    Args:
        model: The name for the rows.
        bundle: The bundle to run.
        cases: Backends, precisions and batch sizes.
        settings: Device and threads; the rest comes from the cases.
        plan: How much is measured.
        open_it: Opens a backend.
        clock: Gives seconds.
    """
    opened = _open_all(bundle, cases, settings, open_it)
    with ExitStack() as stack:
        works = {}
        for case in cases:
            backend = opened.backends.get((case.backend, case.precision))
            if backend is not None:
                work = work_of(backend, batch_of(bundle, case.batch))
                works[case] = stack.enter_context(work)
        timings = time_interleaved(works, plan, clock, model)
    crop = "x".join(map(str, bundle.input.shape[2:]))
    rows = []
    for case in cases:
        row = LatencyRow(
            model,
            crop,
            _resize_short(bundle),
            case.backend,
            case.precision,
            case.batch,
        )
        if case in timings:
            rows.append(_with_figures(row, timings[case]))
        else:
            reason = opened.reasons[case.backend, case.precision]
            rows.append(replace(row, reason=reason))
    return rows


def _open_all(
    bundle: Bundle, cases: Sequence[LatencyCase], settings: Settings, open_it: Open
) -> _OpenBackends:
    """Open each backend once, for the largest batch of the cases."""
    largest = max((case.batch for case in cases), default=1)
    opened = _OpenBackends({}, {})
    for backend, precision in dict.fromkeys((c.backend, c.precision) for c in cases):
        try:
            wanted = settings_of(
                backend, precision, device=settings.device, threads=settings.threads
            )
            wanted = _for_batches(wanted, largest)
            opened.backends[backend, precision] = open_it(bundle, wanted)
        except UserError as error:
            opened.reasons[backend, precision] = str(error)
    return opened


def _for_batches(settings: Settings, largest: int) -> Settings:
    """The settings under which a batch of this size runs in one piece; TensorRT divides larger ones."""
    tensorrt = settings.tensorrt
    if tensorrt is None or tensorrt.max_batch >= largest:
        return settings
    return replace(settings, tensorrt=replace(tensorrt, max_batch=largest))


def _resize_short(bundle: Bundle) -> int | None:
    """The short side before the crop, in pixels."""
    found = None
    for operation in bundle.transforms:
        resize = operation.get("ResizeImage")
        if resize is not None:
            found = resize.get("resize_short")
    return found


def _with_figures(row: LatencyRow, timing: Timing) -> LatencyRow:
    def milliseconds(percent: float) -> float:
        return round(1e3 * timing.percentile(percent), 4)

    return replace(
        row,
        median_ms=milliseconds(50),
        p5_ms=milliseconds(5),
        p95_ms=milliseconds(95),
        calls=len(timing.seconds),
    )
