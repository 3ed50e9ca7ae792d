"""How far scores are from the reference's, and how far they may be."""

from __future__ import annotations

import math

import numpy as np

from ppcls.metric.topk import TopkCounter
from ppcls.utils.fields import require

SCORE_BOUND = 1e-4  # for float32: largest difference of a probability
# Points of top-1 that may be lost
ACCURACY_BOUNDS = {"bfloat16": 0.5, "float16": 0.5, "int8": 1.0}
# For lower precisions without labels: share of pictures whose first class is the reference's
AGREEMENT_BOUND = 0.97
# How much better than chance the reference must be for its accuracy to count
BEYOND_CHANCE = 0.05


class Comparison:
    """Differences of scores, counted batch by batch.

    Attributes:
        class_num: Scores per picture.
        pictures: How many were compared.
        agreed: How many have the reference's first class (among equal scores the lower class counts).
        max_difference: Largest absolute difference of a score; NaN if a score is NaN.
    """

    def __init__(self) -> None:
        self.class_num = 0
        self.pictures = 0
        self.agreed = 0
        self.max_difference = 0.0
        self._sum = 0.0
        self._scores = 0
        self._counter = TopkCounter((1, 5))

    def add(
        self,
        scores: np.ndarray,
        reference: np.ndarray,
        labels: np.ndarray | None = None,
    ) -> None:
        """Count a batch.

        Args:
            scores: [N, class_num].
            reference: [N, class_num].
            labels: Class ids [N]; all batches have labels, or none.

        Raises:
            ValueError: The shapes differ.
        """
        require(
            scores.shape == reference.shape,
            f"scores have the shape {list(scores.shape)}, the reference's {list(reference.shape)}",
        )
        difference = np.abs(scores.astype(np.float64) - reference)
        # max() would lose a NaN.
        self.max_difference = float(np.maximum(self.max_difference, difference.max()))
        self._sum += float(difference.sum())
        self._scores += difference.size
        self.agreed += int((scores.argmax(axis=1) == reference.argmax(axis=1)).sum())
        self.pictures += len(scores)
        self.class_num = scores.shape[1]
        if labels is not None:
            self._counter.update(scores, labels)

    @property
    def mean_difference(self) -> float:
        """Mean absolute difference of a score."""
        return self._sum / self._scores

    @property
    def agreement(self) -> float:
        """Share of pictures whose first class is the reference's."""
        return self.agreed / self.pictures

    @property
    def labelled(self) -> bool:
        """Whether there were labels."""
        return self._counter.pictures > 0

    @property
    def accuracy(self) -> dict[str, float]:
        """`{"top1": 0.64, "top5": 0.905}`; empty without labels."""
        return self._counter.result()

    @property
    def correct(self) -> int:
        """Pictures whose first class is their label."""
        return self._counter.correct[0]

    @property
    def beats_chance(self) -> bool:
        """Whether there are labels that match the model, such as labels in another order of the classes do not."""
        if not self.labelled:
            return False
        return self.correct > (1 / self.class_num + BEYOND_CHANCE) * self.pictures


def failure_of(precision: str, seen: Comparison, reference: Comparison) -> str | None:
    """The bound that a form exceeds, in words, or None.

    Args:
        precision: The form's precision.
        seen: The form against the reference.
        reference: The reference against itself, for its accuracy.
    """
    if np.isnan(seen.max_difference):
        return "some scores are NaN"
    if precision == "float32":
        return _float32_failure(seen)
    if reference.beats_chance:
        return _accuracy_failure(ACCURACY_BOUNDS[precision], seen, reference)
    return _agreement_failure(seen, reference)


def _float32_failure(seen: Comparison) -> str | None:
    if seen.max_difference > SCORE_BOUND:
        return f"scores differ by up to {seen.max_difference:.1e} (at most {SCORE_BOUND:g})"
    others = seen.pictures - seen.agreed
    if others:
        return f"{others} of {seen.pictures} first classes differ (none may)"
    return None


def _accuracy_failure(
    bound: float, seen: Comparison, reference: Comparison
) -> str | None:
    lost = 100 * (reference.correct - seen.correct)
    if lost <= bound * seen.pictures:
        return None
    failure = f"top-1 is {lost / seen.pictures:.2f} points lower (at most {bound:g})"
    enough = math.ceil(100 / bound)
    if seen.pictures < enough:
        failure += f"; one picture is more than that, so give at least {enough}"
    return failure


def _agreement_failure(seen: Comparison, reference: Comparison) -> str | None:
    if seen.agreed >= AGREEMENT_BOUND * seen.pictures:
        return None
    others = seen.pictures - seen.agreed
    failure = f"{others} of {seen.pictures} first classes differ (at most {1 - AGREEMENT_BOUND:.0%})"
    if reference.labelled:
        right = f"{reference.accuracy['top1']:.2%}"
        failure += f"; the labels do not match this model: float32 is right on {right}"
    return failure
