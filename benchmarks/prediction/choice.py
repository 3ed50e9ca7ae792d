"""Whether `ppcls benchmark backends` chooses the fastest in float32, by a second measurement of bare engines."""

from __future__ import annotations

from functools import partial

import numpy as np

from ppcls.benchmark.backends import measure_backends, verifying_gate
from ppcls.benchmark.candidates import choose
from ppcls.benchmark.timing import Plan, time_interleaved
from ppcls.inference import Bundle
from ppcls.inference.golden import GOLDEN_PICTURE
from ppcls.inference.settings import Settings
from prediction.bare import engines, open_bare

BATCH = 8
GOAL = 1.02


def measure(bundle: Bundle, rounds: int) -> None:
    names, plan = engines(bundle), Plan(rounds)
    tried = [Settings(name) for name in names]
    found = measure_backends(
        bundle, tried, BATCH, "throughput", plan, {"float32"}, verifying_gate(None)
    )
    chosen = choose(found.candidates)
    if chosen is None:
        raise SystemExit(f"{bundle.folder}: none may be chosen; see `ppcls verify`")
    batch = np.stack([bundle.pipeline(GOLDEN_PICTURE.read_bytes())] * BATCH)

    timings = time_interleaved(
        {name: partial(open_bare(bundle, name), batch) for name in names}, plan
    )
    best = min(timing.undisturbed for timing in timings.values())
    for name in names:
        print(
            f"{name:11} batch {BATCH} choice   bare {1000 * timings[name].undisturbed:7.2f} ms a batch"
        )
    engine = chosen.settings.backend
    print(
        f"{engine:11} is chosen; time x {timings[engine].undisturbed / best:.3f} of the fastest (goal at most {GOAL})"
    )
