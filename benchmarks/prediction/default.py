"""What the plain installation runs, against the faster of ONNX Runtime and OpenVINO, at batch 1 and 8.

`default` is the engine that a bundle is run by if nobody chooses one, `bfloat16` the same in that precision. The
program is the one that `ppcls export` writes; the ONNX form was converted from it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import numpy as np

from ppcls.inference import Bundle
from ppcls.inference.backends import open_backend
from ppcls.inference.backends.default import default_settings
from ppcls.inference.golden import Golden
from ppcls.inference.settings import PADDLE_OPENVINO, Settings
from prediction.bare import EXTRAS, engines
from prediction.rounds import run_rounds

GOAL = 1.05
BFLOAT16_GOAL = 0.55
PICTURES = 8


def measure(bundle: Bundle, rounds: int) -> None:
    settings = default_settings(bundle)
    tried = {"default": settings}
    if settings.backend == PADDLE_OPENVINO:
        tried["bfloat16"] = Settings(PADDLE_OPENVINO, "bfloat16")
        tried["paddle"] = Settings()
    others = [name for name in engines(bundle) if name in EXTRAS]
    if not others:
        print("default      nothing to compare with: no ONNX form, or no other engine")
        return
    for name in others:
        tried[name] = Settings(name)
    opened = {name: open_backend(bundle, each) for name, each in tried.items()}
    image = Golden.of(bundle).input
    for batch in (1, PICTURES):
        inputs = np.repeat(image, batch, axis=0)
        ways = {name: _calls(each.run, inputs) for name, each in opened.items()}
        spent = run_rounds(ways, rounds, warm=True)
        for clock in ("seconds", "processor"):
            taken = {
                name: getattr(each, clock) for name, each in spent.items()
            }  # of PICTURES pictures
            best = [min(each) for each in zip(*(taken[name] for name in others))]
            ratios = [mine / theirs for mine, theirs in zip(taken["default"], best)]
            line = ", ".join(
                f"{name} {1000 * statistics.median(each) * batch / PICTURES:.2f}"
                for name, each in taken.items()
            )
            print(
                f"batch {batch} {clock:9} ms: {line}; {settings.backend} x {statistics.median(ratios):.3f} of the best "
                f"(goal at most {GOAL})"
            )
            if "bfloat16" in taken:
                halves = zip(taken["bfloat16"], taken["default"])
                share = statistics.median(half / whole for half, whole in halves)
                print(
                    f"{'':8}{clock:9} bfloat16 x {share:.3f} of float32 (goal at most {BFLOAT16_GOAL})"
                )


def _calls(
    run: Callable[[np.ndarray], np.ndarray], inputs: np.ndarray
) -> Callable[[], object]:
    return lambda: [run(inputs) for _ in range(PICTURES // len(inputs))]
