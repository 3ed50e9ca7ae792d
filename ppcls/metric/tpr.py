from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ppcls.metric.topk import METRICS
from ppcls.utils.fields import BelowOne, CheckedFields, require


@METRICS.register()
@dataclass(frozen=True)
class TprAtFpr(CheckedFields):
    """Of a model of two classes, how many of class 1 are found where few of class 0 are taken for it.

    It is the true positive rate at the lowest threshold on the score of class 1 at which at most `max_fpr` of class 0
    score above it. Every score is tried as the threshold; PaddleClas tries 0, 0.0001, 0.0002 ... of it.

    Attributes:
        max_fpr: the share of class 0 that may be taken for class 1.
    """

    max_fpr: BelowOne = 0.001

    answers_for: ClassVar[int] = 2

    def accumulator(self) -> "ScoreCounter":
        """A counter that has seen nothing."""
        return ScoreCounter(self.max_fpr)


class ScoreCounter:
    """Keeps the score of each picture."""

    def __init__(self, max_fpr: float) -> None:
        self.max_fpr = max_fpr
        self.reset()

    def reset(self) -> None:
        """Forgets everything."""
        self.scores: list[float] = []
        self.labels: list[int] = []

    def update(self, logits: Any, target: Any) -> None:
        """Counts a batch.

        Args:
            logits: scores [N, 2], a tensor or an array.
            target: class ids [N], or shares [N, 2], the larger of which names the class.
        """
        both = np.asarray(logits.astype("float32")).astype(np.float64)
        labels = np.asarray(target)
        if labels.ndim == 2:
            labels = labels.argmax(axis=1)
        # Rises with the share that softmax gives to class 1
        self.scores += (both[:, 1] - both[:, 0]).tolist()
        self.labels += labels.tolist()

    def result(self) -> dict[str, float]:
        """`{"tpr": 0.98}`; empty if no picture of class 1 was counted."""
        scores, labels = np.array(self.scores), np.array(self.labels)
        found, others = scores[labels == 1], scores[labels == 0]
        if not len(found):
            return {}
        # 0.29 * 100 is a little less than 29
        allowed = int(self.max_fpr * len(others) + 1e-9)
        threshold = -np.inf
        if len(others):
            threshold = np.sort(others)[len(others) - 1 - allowed]
        return {"tpr": float((found > threshold).mean())}

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as plain values."""
        return {"scores": list(self.scores), "labels": list(self.labels)}

    def add(self, state: dict[str, Any]) -> None:
        """Adds what another process counted."""
        self.scores += state["scores"]
        self.labels += state["labels"]

    def restore(self, state: dict[str, Any]) -> None:
        """Puts back what `state` gave; ValueError if there are scores without labels."""
        require(
            len(state["scores"]) == len(state["labels"]),
            f"saved with {len(state['scores'])} scores for {len(state['labels'])} labels",
        )
        self.scores, self.labels = list(state["scores"]), list(state["labels"])
