"""A model in Paddle 2's format, and where the environment of Python 3.7 lies."""

from __future__ import annotations

from pathlib import Path

import arch_facts as facts
import paddle

from helpers.checkout import ROOT
from ppcls.arch import build_model
from ppcls.arch.model_table import MODELS
from ppcls.arch.weights.sources import find_source
from ppcls.data.transforms import Pipeline
from ppcls.engine.exporter import export_bundle
from ppcls.inference import Bundle

LITE_HOME = ROOT / ".venv-lite"


def export(name: str, folder: Path) -> Bundle:
    """A model whose scores differ: no class takes all."""
    size = MODELS[name].input_size
    model = build_model(name)
    model.set_state_dict(facts.paddleclas_state(name))
    model.eval()
    pictures = facts.pictures(2, *size[1:])
    with paddle.no_grad():
        spread = float(model(paddle.to_tensor(pictures)).std())
        for parameter in model.fc.parameters():
            parameter.set_value(parameter / spread)
    pipeline = Pipeline.from_list(find_source(name).preprocessing.transform_ops())
    export_bundle(
        model, pipeline, folder, architecture=name, class_num=1000, image_shape=size,
        program_file="inference.pdmodel",
    )  # fmt: skip
    return Bundle.load(folder)
