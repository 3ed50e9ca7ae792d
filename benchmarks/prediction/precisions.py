"""bfloat16 and int8 against float32, by OpenVINO at batch 8."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ppcls.inference import Bundle
from ppcls.inference.backends import Backend, open_backend
from ppcls.inference.golden import GOLDEN_PICTURE
from ppcls.inference.settings import Settings
from ppcls.utils.errors import UserError
from prediction.bare import engines
from prediction.rounds import ratio, run_rounds

BATCH = 8
RUNS = 2  # per round
GOALS = {"bfloat16": 0.55, "int8": 0.33}


def measure(bundle: Bundle, precisions: Sequence[str], rounds: int) -> None:
    if "openvino" not in engines(bundle):
        print("openvino    is not installed, or the bundle has no inference.onnx")
        return
    batch = np.stack([bundle.pipeline(GOLDEN_PICTURE.read_bytes())] * BATCH)
    ways: dict[str, Callable[[], object]] = {}
    for precision in ("float32", *precisions):
        try:
            ways[precision] = _runs(
                open_backend(bundle, Settings("openvino", precision)), batch
            )
        # This processor has no bfloat16, or the bundle no int8 form
        except UserError as error:
            print(f"openvino    {precision}: {error}")
    spent = run_rounds(ways, rounds, warm=True)
    for precision, each in spent.items():
        goal = f" (goal at most {GOALS[precision]})" if precision in GOALS else ""
        time = ratio(each.seconds, spent["float32"].seconds)
        print(
            f"openvino    {precision:9} {each.per(BATCH * RUNS)}; time x {time:.3f}{goal}"
        )


def _runs(backend: Backend, batch: np.ndarray) -> Callable[[], object]:
    return lambda: [backend.run(batch) for _ in range(RUNS)]
