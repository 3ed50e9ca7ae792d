"""Bundles for the tests of engines, with weights that are not random from run to run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import arch_facts as facts
import numpy as np
import paddle

from ppcls.arch import build_model
from ppcls.arch.model_table import MODELS
from ppcls.data.transforms import Pipeline
from ppcls.engine.exporter import export_bundle
from ppcls.inference import Bundle
from ppcls.inference.backends import open_backend
from ppcls.inference.golden import score_difference
from ppcls.inference.settings import Settings


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


def bundle_of(name: str, folder: Path, opset: int | None = 13) -> Bundle:
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


def agrees_with_paddle(bundle: Bundle, engine: str) -> None:
    """Asserts that an engine gives Paddle's scores, for batches of several sizes that run at the same time."""
    reference = open_backend(bundle, Settings())
    backend = open_backend(bundle, Settings(engine, requests=3))
    batches = [facts.pictures(count, 64, 64) for count in (1, 2, 5, 3, 1, 4)]
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(backend.run, batches))
    for batch, scores in zip(batches, found):
        assert scores.shape == (len(batch), 1000)
        assert score_difference(scores, reference.run(batch)) < 2e-4
