"""Calibration: whether a model is right as often as its probabilities say, and the temperature that helps.

Source: Guo et al. 2017, On Calibration of Modern Neural Networks, arXiv:1706.04599, sections 2 and 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ppcls.analysis.scores import Scored, log_softmax

BINS = 15
_COLDEST, _HOTTEST = 0.02, 50.0  # temperatures
_ITERATIONS = 60
_PRECISE = 1e-6  # relative, of the temperature
_FOLDS = 2


@dataclass(frozen=True, eq=False)
class Reliability:
    """Confidence against accuracy, in bins of equal width.

    Attributes:
        edges: The bounds of the bins, float64 [B + 1]; a bin holds its upper bound.
        counts: Pictures in each bin, int64 [B].
        confidence: Their mean confidence, float64 [B]; 0 in an empty bin.
        accuracy: The share of them that is right, float64 [B]; 0 in an empty bin.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def expected_error(self) -> float:
        """The expected calibration error: the mean gap of confidence and accuracy, weighted by pictures."""
        return float(self._gaps @ self.counts / self.counts.sum())

    @property
    def largest_error(self) -> float:
        """The largest gap of a bin that holds pictures."""
        return float(self._gaps.max())

    @property
    def _gaps(self) -> np.ndarray:
        return np.abs(self.accuracy - self.confidence)


def reliability(
    confidence: np.ndarray, is_right: np.ndarray, bins: int = BINS
) -> Reliability:
    """Compare confidence with accuracy.

    Args:
        confidence: The probability of the predicted class, float [N].
        is_right: Whether the prediction is right, bool [N].
        bins: The number of bins.
    """
    edges = np.linspace(0, 1, bins + 1)
    # The bin of a value on an edge is the lower one
    places = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    filled = np.maximum(counts, 1)
    mean = np.bincount(places, weights=confidence, minlength=bins) / filled
    share = np.bincount(places, weights=is_right, minlength=bins) / filled
    return Reliability(edges, counts, mean, share)


def brier_score(scored: Scored) -> float:
    """The mean squared distance of the probabilities from 1 for the true class and 0 for the others."""
    # sum of p^2 - 2 p_true + 1
    squares = np.exp(2 * scored.log_probabilities).sum(axis=1, dtype=np.float64)
    return float((squares - 2 * scored.label_probability + 1).mean())


@dataclass(frozen=True)
class Tempered:
    """A temperature, and what it does.

    Attributes:
        temperature: What the logits are divided by; above 1 for a model that is too sure of itself.
        expected_error: The expected calibration error with it, each half of the pictures by the other half's
            temperature.
        loss: The mean cross entropy with it, measured in the same way.
    """

    temperature: float
    expected_error: float
    loss: float


def tempered(scored: Scored) -> Tempered:
    """Fit the temperature, and measure it on pictures that it was not fitted to."""
    folds = np.arange(len(scored)) % _FOLDS
    adjusted = scored.log_probabilities.copy()
    for fold in range(_FOLDS):
        others, own = folds != fold, folds == fold
        if others.any() and own.any():
            rows = scored.log_probabilities
            temperature = fit_temperature(rows[others], scored.labels[others])
            adjusted[own] = log_softmax(rows[own] / temperature)
    after = Scored(scored.pictures, scored.labels, adjusted)
    error = reliability(after.confidence, after.is_right).expected_error
    temperature = fit_temperature(scored.log_probabilities, scored.labels)
    return Tempered(temperature, error, float(after.loss.mean()))


def fit_temperature(scores: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the least cross entropy.

    The cross entropy is convex in the inverse temperature, so its derivative has one zero, which Newton's method finds,
    kept in an interval that shrinks.

    Args:
        scores: Logits or logarithms of probabilities, float [N, K].
        labels: The true class ids, int64 [N].

    Returns:
        The temperature, from 0.02 to 50; 0.02 if every picture is right, for which the loss falls without end.
    """
    scores = scores - scores.max(axis=1, keepdims=True)
    of_label = scores[np.arange(len(labels)), labels].astype(np.float64)
    low, high, inverse = 1 / _HOTTEST, 1 / _COLDEST, 1.0
    for _ in range(_ITERATIONS):
        slope, curvature = _derivatives(scores, of_label, inverse)
        if slope > 0:
            high = inverse
        else:
            low = inverse
        following = inverse - slope / curvature if curvature > 0 else low
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - inverse) <= _PRECISE * inverse:
            break
        inverse = following
    return 1 / inverse


def _derivatives(
    scores: np.ndarray, of_label: np.ndarray, inverse: float
) -> tuple[float, float]:
    """The first and second derivative of the cross entropy by the inverse temperature."""
    weights = np.exp(inverse * scores)
    total = weights.sum(axis=1, dtype=np.float64)
    mean = np.einsum("nk,nk->n", weights, scores, dtype=np.float64) / total
    weights *= scores
    square = np.einsum("nk,nk->n", weights, scores, dtype=np.float64) / total
    return float((mean - of_label).mean()), float((square - mean**2).mean())
