"""What makes a backend of a program that takes only some sizes of batches, or gives logits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ppcls.inference.entries import ModelOrigin
from ppcls.utils.errors import UserError

if TYPE_CHECKING:
    from ppcls.inference.backends import Backend
    from ppcls.inference.bundle import Bundle


_ROUNDING = 1e-2  # of a picture's probabilities altogether; half precision is not exact
_EXACT = 1e-4  # the same in float32


def adapted(backend: Backend, bundle: Bundle) -> Backend:
    """The backend itself, or one around it that takes any batch and gives probabilities."""
    if bundle.input.shape[0] == 1:
        backend = OneByOne(backend)
    # Only the user says what the scores of such a file are; other programs were tried
    told = bundle.origin is ModelOrigin.ONNX
    program = bundle.path_of(bundle.program)
    if bundle.output.meaning == "logits":
        return Softmax(Logits(backend, program) if told else backend)
    return Probabilities(backend, program) if told else backend


class OneByOne:
    """Sends the pictures of a batch through a backend one after another."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to what the backend gives for each, [N, class_num]."""
        return np.concatenate(
            [self._backend.run(picture[np.newaxis]) for picture in batch]
        )


class Probabilities:
    """Holds a program to what was told of it: that its scores are probabilities."""

    def __init__(self, backend: Backend, program: Path) -> None:
        self._backend, self._program = backend, program

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the scores, float32 [N, class_num].

        Raises:
            UserError: they are no probabilities.
        """
        scores = self._backend.run(batch)
        if not _are_probabilities(scores, _ROUNDING):
            raise UserError(
                f"{self._program} gives scores from {scores.min():.3g} to {scores.max():.3g}, which are no "
                "probabilities; write output='logits'"
            )
        return scores


class Logits:
    """Holds a program to what was told of it: that its scores are logits.

    The first batch is looked at. Softmax in the form that ONNX files have it mostly is seen before, in the file.
    """

    def __init__(self, backend: Backend, program: Path) -> None:
        self._backend, self._program = backend, program
        self._seen = False

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the logits, float32 [N, class_num].

        Raises:
            UserError: they are probabilities.
        """
        scores = self._backend.run(batch)
        if (
            not self._seen
            and scores.shape[1] > 1
            and _are_probabilities(scores, _EXACT)
        ):
            raise UserError(
                f"{self._program} gives scores that are probabilities already (from {scores.min():.3g} to "
                f"{scores.max():.3g}, 1 for each picture altogether); write output='probabilities'"
            )
        self._seen = True
        return scores


class Softmax:
    """Makes the logits of a backend probabilities."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the scores, float32 [N, class_num]."""
        logits = self._backend.run(batch)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)


def _are_probabilities(scores: np.ndarray, rounding: float) -> bool:
    return bool(scores.min() >= 0 and np.abs(scores.sum(axis=1) - 1).max() <= rounding)
