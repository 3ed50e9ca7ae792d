"""The scores of labelled pictures: what every figure of an evaluation is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ppcls.metric.topk import rank_of_target

_LEAST = np.finfo(np.float32).tiny  # a probability that float32 has rounded to 0


@dataclass(frozen=True, eq=False)
class Scored:
    """The scores of pictures whose classes are known.

    Attributes:
        pictures: Paths, one per picture.
        labels: The true class ids, int64 [N].
        log_probabilities: Natural logarithms of the probabilities, float32 [N, K].
        names: One name per class, or None.
    """

    pictures: Sequence[str]
    labels: np.ndarray
    log_probabilities: np.ndarray
    names: Sequence[str] | None = None

    @classmethod
    def of_logits(
        cls,
        pictures: Sequence[str],
        labels: np.ndarray,
        logits: np.ndarray,
        names: Sequence[str] | None = None,
    ) -> Scored:
        """Make them from logits [N, K]."""
        return cls(pictures, labels, log_softmax(logits), names)

    @classmethod
    def of_probabilities(
        cls,
        pictures: Sequence[str],
        labels: np.ndarray,
        probabilities: np.ndarray,
        names: Sequence[str] | None = None,
    ) -> Scored:
        """Make them from probabilities [N, K], such as those of a bundle."""
        return cls(pictures, labels, np.log(np.maximum(probabilities, _LEAST)), names)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(self.log_probabilities.shape[1])

    @cached_property
    def predicted(self) -> np.ndarray:
        """The class of the highest score, int64 [N]; of equal ones the lowest."""
        return self.log_probabilities.argmax(axis=1)

    @cached_property
    def is_right(self) -> np.ndarray:
        """Whether the predicted class is the true one, bool [N]."""
        return self.predicted == self.labels

    @cached_property
    def confidence(self) -> np.ndarray:
        """The probability of the predicted class, float64 [N]."""
        return np.exp(self._of(self.predicted))

    @cached_property
    def label_probability(self) -> np.ndarray:
        """The probability of the true class, float64 [N]."""
        return np.exp(self._of(self.labels))

    @cached_property
    def loss(self) -> np.ndarray:
        """The cross entropy of each picture, float64 [N]."""
        return -self._of(self.labels)

    @cached_property
    def margin(self) -> np.ndarray:
        """The best probability minus the second best one, float64 [N]; 1 where there is one class."""
        if self.classes == 1:
            return np.ones(len(self))
        second = np.partition(self.log_probabilities, -2, axis=1)[:, -2]
        return self.confidence - np.exp(second.astype(np.float64))

    @cached_property
    def rank(self) -> np.ndarray:
        """How many classes stand before the true one, int64 [N]; 0 where the prediction is right."""
        return rank_of_target(self.log_probabilities, self.labels)

    def name_of(self, class_id: int) -> str:
        """The name of a class, or its number where there are no names."""
        if self.names:
            return self.names[class_id]
        return str(class_id)

    def _of(self, classes: np.ndarray) -> np.ndarray:
        rows = np.arange(len(self))
        return self.log_probabilities[rows, classes].astype(np.float64)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """The logarithms of the softmax of each row, float32 [N, K]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    total = np.exp(shifted).sum(axis=1, keepdims=True, dtype=np.float64)
    return (shifted - np.log(total)).astype(np.float32)
