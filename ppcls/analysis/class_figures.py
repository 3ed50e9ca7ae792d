"""Accuracy as a whole and by class: the figures that scikit-learn's `classification_report` gives, and top-k."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ppcls.analysis.scores import Scored

_TOPK = (1, 5)


@dataclass(frozen=True)
class ClassAverages:
    """Precision, recall and F1 over classes."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Confusion:
    """How often pictures of a class got another one."""

    label: int
    predicted: int
    count: int
    share: float  # of the pictures of the class


@dataclass(frozen=True, eq=False)
class ClassFigures:
    """Figures by class, from true and predicted class ids.

    A ratio whose denominator is 0 is 0, as scikit-learn has it with `zero_division=0`: the precision of a class that is
    never predicted, the recall of a class without pictures.

    Attributes:
        labels: The true class ids, int64 [N].
        predicted: The predicted ones, int64 [N].
        classes: The number of classes, K.
    """

    labels: np.ndarray
    predicted: np.ndarray
    classes: int

    @classmethod
    def of(cls, scored: Scored) -> ClassFigures:
        """The figures of scored pictures."""
        return cls(scored.labels, scored.predicted, scored.classes)

    @cached_property
    def support(self) -> np.ndarray:
        """Pictures of each class, int64 [K]."""
        return np.bincount(self.labels, minlength=self.classes)

    @cached_property
    def answers(self) -> np.ndarray:
        """How often each class is predicted, int64 [K]."""
        return np.bincount(self.predicted, minlength=self.classes)

    @cached_property
    def right(self) -> np.ndarray:
        """Right predictions of each class, int64 [K]."""
        matches = self.labels[self.labels == self.predicted]
        return np.bincount(matches, minlength=self.classes)

    @cached_property
    def precision(self) -> np.ndarray:
        """The share of the predictions of a class that are right, float64 [K]."""
        return _ratio(self.right, self.answers)

    @cached_property
    def recall(self) -> np.ndarray:
        """The share of the pictures of a class that are recognised, float64 [K]."""
        return _ratio(self.right, self.support)

    @cached_property
    def f1(self) -> np.ndarray:
        """The harmonic mean of precision and recall, float64 [K]."""
        return _ratio(2 * self.right, self.support + self.answers)

    @cached_property
    def accuracy(self) -> float:
        """The share of pictures that are recognised."""
        return float(self.right.sum() / len(self.labels))

    @cached_property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that have pictures."""
        return float(self.recall[self.support > 0].mean())

    @cached_property
    def macro(self) -> ClassAverages:
        """The means over the classes that occur, as labels or as predictions."""
        occurs = (self.support > 0) | (self.answers > 0)
        return self._averages(occurs.astype(np.float64))

    @cached_property
    def weighted(self) -> ClassAverages:
        """The means over the classes, weighted by their pictures."""
        return self._averages(self.support.astype(np.float64))

    def _averages(self, weights: np.ndarray) -> ClassAverages:
        share = weights / weights.sum()
        return ClassAverages(
            float(self.precision @ share),
            float(self.recall @ share),
            float(self.f1 @ share),
        )

    @cached_property
    def matrix(self) -> np.ndarray:
        """The confusion matrix, int64 [K, K]: rows are true classes, columns predicted ones."""
        places = self.labels * self.classes + self.predicted
        counts = np.bincount(places, minlength=self.classes**2)
        return counts.reshape(self.classes, self.classes)

    def confusions(self) -> list[Confusion]:
        """Every pair of classes that is confused, the most frequent first."""
        is_wrong = self.labels != self.predicted
        places = self.labels[is_wrong] * self.classes + self.predicted[is_wrong]
        pairs, counts = np.unique(places, return_counts=True)
        found = []
        for place in np.argsort(-counts, kind="stable"):
            label, predicted = divmod(int(pairs[place]), self.classes)
            count = int(counts[place])
            share = count / int(self.support[label])
            found.append(Confusion(label, predicted, count, share))
        return found


def topk_accuracies(scored: Scored) -> dict[str, float]:
    """The shares of pictures whose class is among the best: `{"top1": 0.9, "top5": 0.99}`."""
    found = {}
    for k in _TOPK:
        if k == 1 or k < scored.classes:
            found[f"top{k}"] = float((scored.rank < k).mean())
    return found


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide counts by counts; 0 where there is nothing to divide by."""
    return part / np.maximum(whole, 1)
