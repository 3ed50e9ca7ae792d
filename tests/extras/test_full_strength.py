"""SENet154_vd against PaddleClas's logits with weights at full strength, at which it is chaotic.

A relative change of the input by 1e-7 changes these logits altogether, so only the very kernels of the reference give
them again: Paddle's as it is installed, on one thread, on a processor whose MKL takes the same path (x86 with AVX2).
So a process of its own measures, which `ppcls.utils.cpu` does not prepare.
"""

from __future__ import annotations

import os
from pathlib import Path

import arch_facts as facts
import numpy as np

from helpers.checkout import ROOT
from helpers.new_process import output_of

HERE = Path(__file__).parent
MEASURE = """
import sys
sys.path[:0] = sys.argv[2:]
from ppcls.utils import cpu
cpu.prepare = dict
import arch_facts as facts, numpy as np, paddle
from ppcls.arch import SENet154_vd
model = SENet154_vd()
model.eval()
shapes = facts.paddleclas_shapes("SENet154_vd")
model.set_state_dict({key: facts.fill(key, shape, branch=1.0) for key, shape in shapes.items()})
with paddle.no_grad():
    np.save(sys.argv[1], model(paddle.to_tensor(facts.pictures(2, 224, 224))).numpy())
"""


def test_logits_are_paddleclas_by_its_kernels(tmp_path: Path) -> None:
    environment = {key: v for key, v in os.environ.items() if key not in ("MKL_DEBUG_CPU_TYPE", "OMP_NUM_THREADS")}
    environment["MKL_CBWR"] = "COMPATIBLE"  # where MKL would choose better kernels by itself
    output_of("-c", MEASURE, tmp_path / "logits.npy", HERE.parent / "arch", ROOT, environment=environment)
    reference = np.load(HERE / "SENet154_vd_at_full_strength.npy")
    assert facts.deviation(np.load(tmp_path / "logits.npy"), reference) < 2e-4
