"""A bundle's golden picture: what went into the model and what came out when it was exported.

Whoever runs the bundle elsewhere can so tell a wrong colour order, another interpolation or another program from
the arithmetic's noise.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike, write_atomically

# Probabilities below this one count as this one: Paddle's softmax gives none below exp(-64) = 1.6e-28, oneDNN's does.
_SMALLEST = 1e-25


class GoldenMismatch(UserError):
    """A runtime does not reproduce the bundle's golden picture."""


@dataclass(frozen=True)
class Golden:
    """A picture's bytes, its input tensor (float32 [1, C, H, W]) and its scores (float32 [1, class_num])."""

    picture: bytes
    input: np.ndarray
    scores: np.ndarray

    def save(self, path: PathLike) -> None:
        """Writes an `.npz` of three plain arrays."""
        buffer = io.BytesIO()
        picture = np.frombuffer(self.picture, np.uint8)
        np.savez(buffer, picture=picture, input=np.float32(self.input), scores=np.float32(self.scores))
        write_atomically(path, buffer.getvalue())

    @classmethod
    def load(cls, path: PathLike) -> Golden:
        """Reads what `save` wrote; pickled objects are refused.

        Raises:
            UserError: the file is damaged, or holds other arrays.
        """
        try:
            # From a stream of ours: of a damaged file numpy leaves its own open.
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return cls(arrays["picture"].tobytes(), arrays["input"], arrays["scores"])
        except (KeyError, ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"{path} is not a golden file ({error}); copy the bundle again, or export again") from error


def input_difference(ours: np.ndarray, golden: np.ndarray) -> float:
    """Largest absolute difference of two input tensors; infinite if the shapes differ."""
    if ours.shape != golden.shape:
        return float("inf")
    return float(np.abs(ours.astype(np.float64) - golden).max())


def score_difference(ours: np.ndarray, golden: np.ndarray) -> float:
    """norm(a - b) / norm(b) of the logits, recovered from probabilities [N, class_num] up to a constant a row.

    Two float32 runs by different kernels give about 1e-5. Infinite if the shapes differ.
    """
    if ours.shape != golden.shape:
        return float("inf")
    a, b = _centred_logits(ours), _centred_logits(golden)
    # A row of equal scores has no spread to compare with: below 0.01 nats the difference counts absolutely.
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-2))


def classes_compared(golden: np.ndarray) -> int:
    """Scores that are large enough for `score_difference` to see; with one a row it sees nothing.

    So it is where one class takes all, which the logits of a deep network that was never trained do.
    """
    return int(np.min(np.sum(golden > _SMALLEST, axis=1)))


def _centred_logits(scores: np.ndarray) -> np.ndarray:
    logits = np.log(np.maximum(scores.astype(np.float64), _SMALLEST))
    return logits - logits.mean(axis=1, keepdims=True)
