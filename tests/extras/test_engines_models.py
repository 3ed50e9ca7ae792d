"""Every model as ONNX, through ONNX Runtime and OpenVINO, gives in float32 what it gives through Paddle."""

from __future__ import annotations

from pathlib import Path

import arch_facts as facts
import numpy as np
import pytest
from engine_bundles import bundle_of, side_of

from ppcls.arch.model_table import MODELS
from ppcls.inference.backends import open_backend
from ppcls.inference.golden import classes_compared, score_difference
from ppcls.inference.settings import Settings

FLOAT32 = 1e-4  # of scores: what a float32 engine may differ by


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_the_same_by_every_engine(name: str, tmp_path: Path) -> None:
    bundle, pictures = bundle_of(name, tmp_path / "bundle"), facts.pictures(3, side_of(name), side_of(name))
    reference = open_backend(bundle, Settings()).run(pictures)
    assert classes_compared(reference) == 1000
    for engine in ("onnxruntime", "openvino"):
        scores = open_backend(bundle, Settings(engine)).run(pictures)
        print(f"{name} {engine}: {np.abs(scores - reference).max():.1e}, {score_difference(scores, reference):.1e}")
        assert np.abs(scores - reference).max() < FLOAT32, engine
        assert score_difference(scores, reference) < 2 * FLOAT32, engine
