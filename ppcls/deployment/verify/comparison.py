"""How far scores are from the reference's, and how far they may be."""

from __future__ import annotations

import math

import numpy as np

from ppcls.metric.topk import TopkCounter

SCORE_BOUND = 1e-4  # of float32: largest difference of a probability
# Points of top-1 that may be lost
ACCURACY_BOUNDS = {"bfloat16": 0.5, "float16": 0.5, "int8": 1.0}
# Of lower precisions without labels: share of pictures whose first class is the reference's
AGREEMENT_BOUND = 0.97
# What the reference's accuracy has over chance at least, or nothing could be lost
BEYOND_CHANCE = 0.05


class Comparison:
    """Differences of scores, counted batch by batch.

    Attributes:
        class_num: scores a picture has.
        pictures: how many were compared.
        agreed: of how many the first class is the reference's (of equal scores the lower class).
        max_difference: largest absolute difference of a score; not a number where one is none.
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
        """Counts a batch.

        Args:
            scores: [N, class_num].
            reference: [N, class_num].
            labels: class ids [N], of all batches or of none.

        Raises:
            ValueError: the shapes differ.
        """
        if scores.shape != reference.shape:
            raise ValueError(
                f"scores have the shape {list(scores.shape)}, the reference's {list(reference.shape)}"
            )
        difference = np.abs(scores.astype(np.float64) - reference)
        # Max() would lose a NaN
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


def failure_of(precision: str, seen: Comparison, reference: Comparison) -> str | None:
    """Which bound a form passes, in words, or None.

    Args:
        precision: of the form.
        seen: the form against the reference.
        reference: the reference against itself, for its accuracy.
    """
    others = seen.pictures - seen.agreed
    if np.isnan(seen.max_difference):
        return "some scores are not numbers"
    if precision == "float32":
        if seen.max_difference > SCORE_BOUND:
            return f"scores differ by up to {seen.max_difference:.1e} (at most {SCORE_BOUND:g})"
        return (
            f"{others} of {seen.pictures} first classes differ (none may)"
            if others
            else None
        )
    if _tells(reference):
        bound, lost = (
            ACCURACY_BOUNDS[precision],
            100 * (reference.correct - seen.correct),
        )
        if lost <= bound * seen.pictures:
            return None
        said = f"top-1 is {lost / seen.pictures:.2f} points lower (at most {bound:g})"
        enough = math.ceil(100 / bound)
        return (
            said
            if seen.pictures >= enough
            else f"{said}; one picture is more than that, give {enough} or more"
        )
    if seen.agreed < AGREEMENT_BOUND * seen.pictures:
        said = f"{others} of {seen.pictures} first classes differ (at most {1 - AGREEMENT_BOUND:.0%})"
        if reference.labelled:
            said += f"; the labels tell nothing, for float32 itself is right on {reference.accuracy['top1']:.2%}"
        return said
    return None


def _tells(reference: Comparison) -> bool:
    """Whether there are labels, and they are the model's; with those of another order it knows none, and loses none."""
    return (
        reference.labelled
        and reference.correct
        > (1 / reference.class_num + BEYOND_CHANCE) * reference.pictures
    )
