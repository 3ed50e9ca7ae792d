"""A bundle's golden picture: what went into the model and what came out when it was exported.

Whoever runs the bundle elsewhere can so tell a wrong colour order, another interpolation or another program from
the arithmetic's noise.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ppcls.data.transforms.base import UnreadableImage
from ppcls.inference.entries import ModelOrigin, shape_text
from ppcls.untrusted.npz import read_arrays
from ppcls.utils.errors import UserError, expect
from ppcls.utils.files import PathLike, write_atomically

if TYPE_CHECKING:
    from ppcls.data.transforms import Pipeline
    from ppcls.inference.backends import Backend
    from ppcls.inference.bundle import Bundle

# Drawn by integer arithmetic alone (tests/data_pipeline/test_picture_sources.py holds the script and compares every
# pixel), so nobody owns it. Its rings, weave, stripes and chequers change visibly under another interpolation, its
# sides and colours under a flip or another channel order.
GOLDEN_PICTURE = Path(__file__).with_name("golden.png")
GOLDEN_SOURCE = "drawn by the library (ppcls/inference/golden.png)"

INPUT_TOLERANCE = 1e-4
SCORE_TOLERANCE = 2e-4
# Probabilities below this one count as this one: Paddle's softmax gives none below exp(-64) = 1.6e-28, oneDNN's does.
_SMALLEST = 1e-25
_AGAIN = "copy the bundle again, or export again"
# Types and axes
_ARRAYS = {"picture": ("uint8", 1), "input": ("float32", 4), "scores": ("float32", 2)}


class GoldenMismatch(UserError):
    """A runtime does not reproduce the bundle's golden picture."""


@dataclass(frozen=True)
class Agreement:
    """How far a runtime is from the golden picture, in float32; see `agreement_with`.

    Attributes:
        input_difference: largest absolute difference of the input tensors.
        score_difference: relative difference of the logits.
        classes_compared: how many scores were large enough to compare; with 1 the comparison is void.
    """

    input_difference: float
    score_difference: float
    classes_compared: int

    def problem(
        self,
        input_tolerance: float = INPUT_TOLERANCE,
        score_tolerance: float = SCORE_TOLERANCE,
    ) -> str | None:
        """What is wrong, if a difference is over its tolerance, and the remedy; else None.

        Args:
            input_tolerance: the most of `input_difference`. The same libraries on the same machine give 0; another JPEG
                decoder or OpenCV may move values by a grey level (0.0175 after ImageNet's normalisation).
            score_tolerance: the most of `score_difference`; two float32 runs by different kernels give about 1e-5.
        """
        # Written as "not <=", so that NaN counts as a difference.
        if not self.input_difference <= input_tolerance:
            return (
                f"the golden picture's input tensor is off by {self.input_difference:.3g} "
                f"(at most {input_tolerance:g}): its preprocessing (colour order, interpolation, sizes, normalisation) "
                "is not the one the model was exported with; export again"
            )
        if not self.score_difference <= score_tolerance:
            return (
                f"the golden input's scores are off by {self.score_difference:.3g} "
                f"(relative, at most {score_tolerance:g}): the program is not the model that was exported, or this "
                "machine computes less exactly than float32; export again, or run on a CPU"
            )
        return None

    def require(self, where: PathLike, *tolerances: float) -> None:
        """Raises GoldenMismatch, with `where` the bundle lies, if there is a problem."""
        problem = self.problem(*tolerances)
        if problem:
            raise GoldenMismatch(f"{where}: {problem}")


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
        np.savez(
            buffer,
            picture=picture,
            input=np.float32(self.input),
            scores=np.float32(self.scores),
        )
        write_atomically(path, buffer.getvalue())

    @classmethod
    def of(cls, bundle: Bundle) -> Golden:
        """A bundle's.

        Raises:
            UserError: it has none, or the file is damaged, not the bundle's, or does not fit the program.
        """
        if bundle.origin is ModelOrigin.ONNX:
            raise UserError(
                f"{bundle.path_of(bundle.program)} has no golden picture to compare with; only bundles have one"
            )
        if bundle.golden is None:
            raise UserError(
                f"{bundle.folder}: there is no golden picture to compare with; export a bundle for that, or "
                "`ppcls adopt` it"
            )
        (path,) = bundle.checked(bundle.golden)
        golden = cls.load(path)
        _require_shape(path, "input", golden.input, (1, *bundle.input.shape[1:]))
        _require_shape(path, "scores", golden.scores, (1, bundle.class_num))
        return golden

    @classmethod
    def load(cls, path: PathLike) -> Golden:
        """Reads what `save` wrote; pickled objects are refused.

        Raises:
            UserError: the file is damaged, or holds other arrays.
        """
        arrays = read_arrays(Path(path), "golden file", _AGAIN)
        for name, (dtype, axes) in _ARRAYS.items():
            array = arrays.get(name)
            if array is None or array.dtype != dtype or array.ndim != axes:
                raise UserError(
                    f"{path}: no golden file, for {name} is no array of {dtype} with {axes} axes; {_AGAIN}"
                )
        return cls(arrays["picture"].tobytes(), arrays["input"], arrays["scores"])


def _require_shape(
    path: Path, name: str, array: np.ndarray, shape: tuple[int, ...]
) -> None:
    expect(
        array.shape == shape,
        f"{path}: {name} has the shape {shape_text(array.shape)}, but the program's is {shape_text(shape)}; "
        f"{_AGAIN}",
    )


def agreement_with(
    golden: Golden, pipeline: Pipeline, backend: Backend, folder: Path
) -> Agreement:
    """Sends the golden picture through the preprocessing, and the golden input through a float32 program.

    Args:
        golden: Picture, input and scores.
        pipeline: The preprocessing.
        backend: Runs the program.
        folder: The bundle's, for messages.

    Raises:
        UserError: the golden picture cannot be read.
    """
    try:
        tensor = pipeline(golden.picture)[np.newaxis]
    except UnreadableImage as error:
        raise UserError(
            f"{folder}: the golden picture cannot be read ({error.reason}); {_AGAIN}"
        ) from error
    return Agreement(
        input_difference(tensor, golden.input),
        score_difference(backend.run(golden.input), golden.scores),
        classes_compared(golden.scores),
    )


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
