"""Runs an exported bundle: `for result in Classifier("path/to/bundle").predict("pictures/"): ...`.

Nothing here trains, and Paddle is loaded only when a `PaddleBackend` is made.
"""

from ppcls.inference.bundle import Bundle
from ppcls.inference.classifier import Classifier
from ppcls.inference.golden import Agreement, Golden, GoldenMismatch
from ppcls.inference.prediction import Prediction
from ppcls.inference.results import Result, Results

__all__ = [
    "Agreement",
    "Bundle",
    "Classifier",
    "Golden",
    "GoldenMismatch",
    "Prediction",
    "Result",
    "Results",
]
