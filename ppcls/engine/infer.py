"""`ppcls infer`: the top classes of pictures by saved weights, without an export."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle

from ppcls.config import Config
from ppcls.engine import build, classes
from ppcls.engine.device import start
from ppcls.engine.predict import list_pictures, report
from ppcls.inference.prediction import Prediction
from ppcls.utils.errors import UserError


def infer(config: Config, output: str | None = None) -> int:
    """Print the top classes of Infer.infer_imgs by the configured weights.

    Args:
        config: The configuration.
        output: A file for one row per picture, .csv or .json.

    Returns:
        The exit code: 1 where some picture could not be read.
    """
    place = config.Infer.infer_imgs
    if place is None:
        raise UserError(
            "no pictures are given; write -o Infer.infer_imgs=PATH of a picture or a folder"
        )
    pictures = list_pictures(place)
    start(config)
    model, config = build.model(config)
    names, answer = classes.class_names(config), build.postprocess(config)
    prediction = Prediction(
        build.eval_pipeline(config),
        ModelBackend(model),
        names,
        config.Infer.batch_size,
        answer.topk,
        postprocess=answer,
    )
    return report(prediction, pictures, answer.topk, output)


class ModelBackend:
    """Probabilities of a model in evaluation mode."""

    def __init__(self, model: Any) -> None:
        model.eval()
        self._model = model

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to [N, class_num]."""
        with paddle.no_grad():
            return paddle.nn.functional.softmax(
                self._model(paddle.to_tensor(batch)), axis=-1
            ).numpy()
