"""Wrappers around a backend: one picture at a time, checks of its scores, and probabilities from logits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ppcls.inference.backends.common import in_parts
from ppcls.inference.entries import ModelOrigin
from ppcls.utils.errors import UserError

if TYPE_CHECKING:
    from ppcls.inference.backends import Backend
    from ppcls.inference.bundle import Bundle


_ROUNDING = 1e-2  # tolerance of the sum of a picture's probabilities in half precision
_EXACT = 1e-4  # the same in float32


def adapted(backend: Backend, bundle: Bundle) -> Backend:
    """Wrap a backend, where needed, so that it takes any batch and gives probabilities."""
    if bundle.input.shape[0] == 1:
        backend = OneByOne(backend)
    # The user has stated what the scores of such a file are; programs of other origins were tried
    if bundle.origin is ModelOrigin.ONNX:
        checks = Logits if bundle.output.meaning == "logits" else Probabilities
        backend = checks(backend, bundle.path_of(bundle.program))
    if bundle.output.meaning == "logits":
        backend = Softmax(backend)
    return backend


class OneByOne:
    """Sends the pictures of a batch through a backend one after another."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to what the backend gives for each, [N, class_num]."""
        return in_parts(self._backend.run, batch, 1)


class Probabilities:
    """Checks that the scores of a program are probabilities, as the user has stated."""

    def __init__(self, backend: Backend, program: Path) -> None:
        self._backend, self._program = backend, program

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the scores, float32 [N, class_num].

        Raises:
            UserError: they are not.
        """
        scores = self._backend.run(batch)
        if not _are_probabilities(scores, _ROUNDING):
            raise UserError(
                f"{self._program} gives scores from {scores.min():.3g} to {scores.max():.3g}, which are not "
                "probabilities; write output='logits'"
            )
        return scores


class Logits:
    """Checks that the scores of a program are logits, as the user has stated.

    Only the first batch is checked. The usual form of softmax is found earlier, in the ONNX file.
    """

    def __init__(self, backend: Backend, program: Path) -> None:
        self._backend, self._program = backend, program
        self._seen = False

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the logits, float32 [N, class_num].

        Raises:
            UserError: they are probabilities already.
        """
        scores = self._backend.run(batch)
        if (
            not self._seen
            and scores.shape[1] > 1
            and _are_probabilities(scores, _EXACT)
        ):
            raise UserError(
                f"{self._program} gives scores that are probabilities already (from {scores.min():.3g} to "
                f"{scores.max():.3g}, summing to 1 for each picture); write output='probabilities'"
            )
        self._seen = True
        return scores


class Softmax:
    """Convert the logits of a backend to probabilities."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the scores, float32 [N, class_num]."""
        logits = self._backend.run(batch)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)


def _are_probabilities(scores: np.ndarray, rounding: float) -> bool:
    return bool(scores.min() >= 0 and np.abs(scores.sum(axis=1) - 1).max() <= rounding)
