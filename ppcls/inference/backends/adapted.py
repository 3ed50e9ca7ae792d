"""What makes a backend of a program that takes one picture at a time, or gives logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ppcls.inference.backends import Backend
    from ppcls.inference.bundle import Bundle


def adapted(backend: Backend, bundle: Bundle) -> Backend:
    """The backend itself, or one around it that takes any batch and gives probabilities."""
    if bundle.input.shape[0] == 1:
        backend = OneByOne(backend)
    return Softmax(backend) if bundle.output.meaning == "logits" else backend


class OneByOne:
    """Sends the pictures of a batch through a backend one after another."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to what the backend gives for each, [N, class_num]."""
        return np.concatenate([self._backend.run(picture[np.newaxis]) for picture in batch])


class Softmax:
    """Makes the logits of a backend probabilities."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the scores, float32 [N, class_num]."""
        logits = self._backend.run(batch)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
