"""The latency of one model: by each engine, in each precision, at each batch size, measured in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from ppcls.benchmark.timing import Clock, Plan, Timing, time_in_turns
from ppcls.benchmark.work import batch_of, work_of
from ppcls.inference.backends import Backend, open_backend
from ppcls.inference.bundle import Bundle
from ppcls.inference.settings import Settings, settings_of
from ppcls.utils.errors import UserError

Open = Callable[[Bundle, Settings], Backend]


@dataclass(frozen=True)
class Way:
    """One way to run a model, as the user wrote it: `trt`, `float16`, 8."""

    backend: str
    precision: str
    batch: int


@dataclass(frozen=True)
class LatencyRow:
    """What was measured of a model, run in one way.

    Attributes:
        model: its name.
        crop: height and width of its input in pixels, `224x224`.
        resize_short: the short side before the crop in pixels; None where the transforms have none.
        backend: as the user wrote it.
        precision: of the arithmetic.
        batch: pictures a call.
        median_ms: milliseconds of the middle call, whole batch; None where nothing was measured.
        p5_ms: what 5 % of the calls stay below.
        p95_ms: what 95 % of the calls stay below.
        calls: how many were timed.
        reason: why nothing was measured.
        form_digest: of what was run, see `ppcls.deployment.verify.forms.form_digest`; empty where nothing says it.
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
    def way(self) -> Way:
        """How the model was run."""
        return Way(self.backend, self.precision, self.batch)


def measure_latency(
    model: str,
    bundle: Bundle,
    ways: Sequence[Way],
    settings: Settings,
    plan: Plan,
    open_it: Open = open_backend,
    clock: Clock = time.perf_counter,
) -> list[LatencyRow]:
    """A row for each of `ways`, in their order; one that this machine cannot run says why.

    Args:
        model: the name that the rows bear.
        bundle: what is run.
        ways: engines, precisions and batch sizes.
        settings: device and threads; the rest is that of the ways.
        plan: how much is measured.
        open_it: opens the backends.
        clock: seconds since some moment.
    """
    wanted = dict.fromkeys((way.backend, way.precision) for way in ways)
    largest = max((way.batch for way in ways), default=1)
    engines = {
        engine: _open(bundle, *engine, settings, largest, open_it) for engine in wanted
    }
    with ExitStack() as stack:
        works = {
            way: stack.enter_context(work_of(engine, batch_of(bundle, way.batch)))
            for way in ways
            if not isinstance(engine := engines[way.backend, way.precision], str)
        }
        timings = time_in_turns(works, plan, clock)
    size = _sizes(bundle)
    return [
        LatencyRow(
            model,
            *size,
            way.backend,
            way.precision,
            way.batch,
            **_measured(timings[way]),
        )
        if way in timings
        else LatencyRow(
            model,
            *size,
            way.backend,
            way.precision,
            way.batch,
            reason=str(engines[way.backend, way.precision]),
        )
        for way in ways
    ]


def _open(
    bundle: Bundle,
    backend: str,
    precision: str,
    settings: Settings,
    largest: int,
    open_it: Open,
) -> Backend | str:
    """The backend, for batches up to the `largest`, or why there is none."""
    try:
        wanted = settings_of(
            backend, precision, device=settings.device, threads=settings.threads
        )
        if wanted.tensorrt is not None:  # it would send a larger batch in parts
            most = max(largest, wanted.tensorrt.max_batch)
            wanted = replace(wanted, tensorrt=replace(wanted.tensorrt, max_batch=most))
        return open_it(bundle, wanted)
    except UserError as error:
        return str(error)


def _sizes(bundle: Bundle) -> tuple[str, int | None]:
    """Crop and short side before it."""
    values: dict[str, Any] = {}
    for operation in bundle.transforms:
        values.update({name: settings or {} for name, settings in operation.items()})
    return "x".join(map(str, bundle.input.shape[2:])), values.get(
        "ResizeImage", {}
    ).get("resize_short")


def _measured(timing: Timing) -> dict[str, Any]:
    milliseconds = {"median_ms": 50, "p5_ms": 5, "p95_ms": 95}
    found = {
        name: round(1e3 * timing.percentile(percent), 4)
        for name, percent in milliseconds.items()
    }
    return {**found, "calls": len(timing.seconds)}
