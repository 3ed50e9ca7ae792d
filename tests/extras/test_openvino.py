"""OpenVINO as the engine, where ONNX Runtime is not installed."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import Any

import arch_facts as facts
import numpy as np
import pytest
from engine_bundles import agrees_with_paddle, bundle_of

from ppcls.deployment.onnx.export import add_onnx
from ppcls.inference import Bundle, Classifier
from ppcls.inference.backends import open_backend
from ppcls.inference.golden import score_difference
from ppcls.inference.settings import Settings
from ppcls.utils.errors import UserError


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_of("DLA46_c", tmp_path_factory.mktemp("engines") / "bundle")


def test_this_is_openvino_alone() -> None:
    assert importlib.util.find_spec("onnxruntime") is None


def test_a_file_that_was_not_compared_says_so(bundle: Bundle, caplog: Any) -> None:
    with caplog.at_level(logging.INFO, "ppcls"):
        add_onnx(bundle)
    assert caplog.messages[-1].startswith(
        "inference.onnx: opset 13; its scores were not compared: ONNX Runtime is not installed"
    )
    with pytest.raises(UserError, match=r"ONNX Runtime is not installed; run `pip install 'ppcls\[onnxruntime\]'`"):
        Classifier(bundle.folder, backend="onnxruntime")


def test_float32_is_float32(bundle: Bundle) -> None:
    """On a processor with bfloat16, too, where OpenVINO would take that by itself."""
    assert Classifier(bundle.folder, backend="openvino").verify().score_difference < 2e-4


def test_paddle_agrees_at_every_batch_size_and_several_at_once(bundle: Bundle) -> None:
    agrees_with_paddle(bundle, "openvino")


def test_bfloat16_is_near_or_refused(bundle: Bundle) -> None:
    import openvino

    settings, pictures = Settings("openvino", "bfloat16"), facts.pictures(2, 64, 64)
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(UserError, match="this processor does not compute in bfloat16"):
            open_backend(bundle, settings)
        return
    scores = open_backend(bundle, settings).run(pictures)
    reference = open_backend(bundle, Settings("openvino")).run(pictures)
    assert 1e-4 < score_difference(scores, reference) < 0.1  # other arithmetic, and the same model
    assert np.abs(scores - reference).max() < 1e-2


def test_the_file_is_read_from_where_it_lies(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="bundle states what its scores are; leave output out"):
        Classifier(bundle.folder, preprocess="DLA46_c", output="logits", backend="openvino")
    probabilities = Classifier(
        bundle.folder / "inference.onnx", preprocess=bundle.transforms, output="probabilities", backend="openvino"
    )
    assert probabilities.settings.backend == "openvino"
    with pytest.raises(UserError, match=r"inference\.onnx ends in softmax, .* write output='probabilities'"):
        Classifier(bundle.folder / "inference.onnx", preprocess=bundle.transforms, output="logits")
    (result,) = probabilities.predict([np.zeros((70, 80, 3), np.uint8)], color="RGB")
    (own,) = Classifier(bundle).predict([np.zeros((70, 80, 3), np.uint8)], color="RGB")
    assert result.class_ids == own.class_ids
