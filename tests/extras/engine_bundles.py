"""Bundles for the tests of engines, with weights that are not random from run to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import arch_facts as facts
import numpy as np
import paddle

from ppcls.arch import build_model
from ppcls.arch.model_table import MODELS
from ppcls.data.transforms import Pipeline
from ppcls.engine.exporter import export_bundle
from ppcls.inference import Bundle


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


def bundle_of(name: str, folder: Path, opset: Optional[int] = 13) -> Bundle:
    """A model with the weights of the facts, for pictures of `side_of(name)`."""
    side = side_of(name)
    transforms = [{"DecodeImage": {}}, {"ResizeImage": {"size": side}}, {"NormalizeImage": None}, {"ToCHWImage": None}]
    model = build_model(name)
    source, key = ("paddleclas", name) if "paddleclas" in MODELS[name].published else ("timm", name.lower())
    assert model.set_state_dict(facts.state(source, key)) == ([], [])
    export_bundle(
        Calm(model, facts.pictures(3, side, side)),
        Pipeline.from_list(transforms),
        folder,
        architecture=name,
        class_num=1000,
        image_shape=(3, side, side),
        opset=opset,
    )
    return Bundle.load(folder)


def side_of(name: str) -> int:
    """Small, but AlexNet knows one size only."""
    return 224 if name == "AlexNet" else 64
