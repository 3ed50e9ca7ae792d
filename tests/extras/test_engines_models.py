"""Every model as ONNX, through ONNX Runtime and OpenVINO, gives in float32 what it gives through Paddle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import arch_facts as facts
import numpy as np
import paddle
import pytest

from ppcls.arch import build_model
from ppcls.arch.model_table import MODELS
from ppcls.data.transforms import Pipeline
from ppcls.engine.exporter import export_bundle
from ppcls.inference import Bundle
from ppcls.inference.backends import open_backend
from ppcls.inference.golden import classes_compared, score_difference
from ppcls.inference.settings import Settings

FLOAT32 = 1e-4  # of scores: what a float32 engine may differ by


class Calm(paddle.nn.Layer):
    """A model whose logits are divided by their spread, so that softmax leaves every class a share to compare."""

    def __init__(self, model: Any, pictures: np.ndarray) -> None:
        super().__init__()
        model.eval()
        with paddle.no_grad():
            spread = float(model(paddle.to_tensor(pictures)).std())
        self.model, self.factor = model, 1 / spread

    def forward(self, image: paddle.Tensor) -> paddle.Tensor:
        return self.model(image) * self.factor


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_the_same_by_every_engine(name: str, tmp_path: Path) -> None:
    side = 224 if name == "AlexNet" else 64  # AlexNet knows one size only
    transforms = [{"DecodeImage": {}}, {"ResizeImage": {"size": side}}, {"NormalizeImage": None}, {"ToCHWImage": None}]
    model = build_model(name)
    source, key = ("paddleclas", name) if "paddleclas" in MODELS[name].published else ("timm", name.lower())
    assert model.set_state_dict(facts.state(source, key)) == ([], [])
    pictures = facts.pictures(3, side, side)
    export_bundle(
        Calm(model, pictures),
        Pipeline.from_list(transforms),
        tmp_path / "bundle",
        architecture=name,
        class_num=1000,
        image_shape=(3, side, side),
        opset=13,
    )
    bundle = Bundle.load(tmp_path / "bundle")
    reference = open_backend(bundle, Settings()).run(pictures)
    assert classes_compared(reference) == 1000
    for engine in ("onnxruntime", "openvino"):
        scores = open_backend(bundle, Settings(engine)).run(pictures)
        print(f"{name} {engine}: {np.abs(scores - reference).max():.1e}, {score_difference(scores, reference):.1e}")
        assert np.abs(scores - reference).max() < FLOAT32, engine
        assert score_difference(scores, reference) < 2 * FLOAT32, engine
