"""A model in memory as a backend of the inference runtime, so that `infer` reads and reports as `predict` does."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle


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
