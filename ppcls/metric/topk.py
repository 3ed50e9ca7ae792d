"""Top-k accuracy, of one model or of one of several."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ppcls.utils.errors import UserError, suggest
from ppcls.utils.fields import CheckedFields, PositiveInt, require
from ppcls.utils.registry import Registry

METRICS = Registry("metric")


@METRICS.register()
@dataclass(frozen=True)
class TopkAcc(CheckedFields):
    """The share of pictures whose class is among the k best scored, for each k of `topk`.

    Attributes:
        topk: each k that is counted.
    """

    topk: PositiveInt | tuple[PositiveInt, ...] = (1, 5)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.ks and len(set(self.ks)) == len(self.ks),
            f"topk is {self.topk}; write different whole numbers of at least 1, such as [1, 5]",
        )

    @property
    def ks(self) -> tuple[int, ...]:
        """`topk` as a tuple."""
        if isinstance(self.topk, int):
            return (self.topk,)
        return tuple(self.topk)

    def accumulator(self) -> "TopkCounter":
        """A counter that has seen nothing."""
        return TopkCounter(self.ks)


class TopkCounter:
    """Counts pictures, not batches, so a short last batch weighs what it holds."""

    def __init__(self, ks: tuple[int, ...]) -> None:
        self.ks = ks
        self.reset()

    def reset(self) -> None:
        """Forgets everything."""
        self.correct: list[int] = [0] * len(self.ks)
        self.pictures = 0

    def update(self, logits: Any, target: Any) -> None:
        """Counts a batch.

        Args:
            logits: scores [N, class_num], a tensor or an array.
            target: class ids [N], or shares [N, class_num], the largest names the class (the first of equals).
        """
        ranks = rank_of_target(np.asarray(logits.astype("float32")), np.asarray(target))
        self.correct = [
            count + int((ranks < k).sum()) for count, k in zip(self.correct, self.ks)
        ]
        self.pictures += len(ranks)

    def result(self) -> dict[str, float]:
        """`{"top1": 0.775, "top5": 0.95}`; empty if no picture was counted."""
        if not self.pictures:
            return {}
        return {
            f"top{k}": count / self.pictures for k, count in zip(self.ks, self.correct)
        }

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as plain values."""
        return {
            "topk": list(self.ks),
            "correct": list(self.correct),
            "pictures": self.pictures,
        }

    def add(self, state: dict[str, Any]) -> None:
        """Adds what another process counted."""
        self.correct = [
            mine + theirs for mine, theirs in zip(self.correct, state["correct"])
        ]
        self.pictures += state["pictures"]

    def restore(self, state: dict[str, Any]) -> None:
        """Puts back what `state` gave; ValueError if it belongs to another `topk`."""
        require(
            tuple(state["topk"]) == self.ks,
            f"saved for topk {state['topk']}, asked for {list(self.ks)}; resume with the same topk",
        )
        require(
            len(state["correct"]) == len(self.ks),
            f"saved with {len(state['correct'])} counts for topk {state['topk']}",
        )
        self.correct, self.pictures = list(state["correct"]), state["pictures"]


def rank_of_target(scores: np.ndarray, target: np.ndarray) -> np.ndarray:
    """How many classes stand before a picture's own: those that score higher, and equal ones of a lower id.

    A score that is not a number stands before every other, and a picture's own such score is among no k best.

    Args:
        scores: [N, class_num].
        target: [N] or [N, class_num].

    Returns:
        int64 [N].
    """
    label = target.argmax(axis=1) if target.ndim == 2 else target
    own = np.take_along_axis(scores, label[:, None], axis=1)  # [N, 1]
    later = np.arange(scores.shape[1]) >= label[:, None]  # [N, class_num]
    behind = (scores < own) | ((scores == own) & later)
    return scores.shape[1] - behind.sum(axis=1)


@METRICS.register()
@dataclass(frozen=True)
class DistillationTopkAcc(TopkAcc):
    """TopkAcc of one of several models, the one that is called `model_key`.

    Attributes:
        model_key: the model whose answers count.
    """

    model_key: str = "Student"

    @property
    def model_names(self) -> tuple[str, ...]:
        """The models whose logits it reads."""
        return (self.model_key,)

    def accumulator(self) -> "NamedTopkCounter":
        """A counter that has seen nothing."""
        return NamedTopkCounter(self.ks, self.model_key)

    def alone(self) -> TopkAcc:
        """The same of a model that gives its logits alone."""
        return TopkAcc(self.topk)


class NamedTopkCounter(TopkCounter):
    """Counts what one of several models answers."""

    def __init__(self, ks: tuple[int, ...], model_key: str) -> None:
        super().__init__(ks)
        self.model_key = model_key

    def update(self, logits: Any, target: Any) -> None:
        """Counts a batch; `logits` are by the models' names.

        Raises:
            UserError: the model is not among them.
        """
        if self.model_key not in logits:
            near = suggest(self.model_key, logits)
            raise UserError(
                f"a metric names the model {self.model_key}{near}, but the models are {', '.join(logits)}; write one"
            )
        super().update(logits[self.model_key], target)
