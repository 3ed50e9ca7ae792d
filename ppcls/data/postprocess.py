"""From a model's scores to its predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ppcls.data.labels import load_class_names
from ppcls.utils.fields import CheckedFields, Fraction, PositiveInt, ReadPath, require
from ppcls.utils.registry import Registry

POSTPROCESSES = Registry("postprocess")

Prediction = tuple[int, float, str | None]  # class id, score, name


@POSTPROCESSES.register()
@dataclass(frozen=True)
class Topk(CheckedFields):
    """The classes of the highest scores.

    Args:
        topk: how many.
        class_id_map_file: the classes' names, `id name` or `name` per line.
    """

    topk: PositiveInt = 1
    class_id_map_file: Annotated[str, ReadPath("file")] | None = None

    def __call__(
        self, scores: np.ndarray, names: Sequence[str] | None = None
    ) -> list[list[Prediction]]:
        """For each row of `scores` [N, K] the best `topk`, best first; of equal scores the lower class id first.

        Args:
            scores: the higher, the likelier.
            names: names by class id; None takes those of `class_id_map_file`, if there is one.

        Raises:
            ValueError: there are fewer classes than `topk`, another number of names, or a score is not a number.
        """
        if names is None and self.class_id_map_file is not None:
            names = load_class_names(self.class_id_map_file)
        self._check(scores, names)
        return [self._best(row, names) for row in scores]

    def _best(self, row: np.ndarray, names: Sequence[str] | None) -> list[Prediction]:
        predictions: list[Prediction] = []
        for class_id in best_of(row, self.topk):
            name = None if names is None else names[class_id]
            predictions.append((class_id, float(row[class_id]), name))
        return predictions

    def _check(self, scores: np.ndarray, names: Sequence[str] | None) -> None:
        classes = scores.shape[1]
        require(
            self.topk <= classes,
            f"topk is {self.topk}, but there are {classes} classes; write {classes} at most",
        )
        if names is not None and len(names) != classes:
            raise ValueError(
                f"there are {len(names)} names for {classes} classes; give a name for each class"
            )
        _check_numbers(scores)


@POSTPROCESSES.register()
@dataclass(frozen=True)
class ThreshOutput(CheckedFields):
    """The answer of a model of two classes: class 1 from a threshold on, else class 0.

    Args:
        threshold: the score of class 1 from which on it is the answer.
        label_0: the name of class 0.
        label_1: the name of class 1.
    """

    threshold: Fraction
    label_0: str = "0"
    label_1: str = "1"

    topk: ClassVar[int] = 1
    class_id_map_file: ClassVar[None] = None
    answers_for: ClassVar[int] = 2

    @property
    def names(self) -> list[str]:
        """The names by class id."""
        return [self.label_0, self.label_1]

    def __call__(
        self, scores: np.ndarray, names: Sequence[str] | None = None
    ) -> list[list[Prediction]]:
        """For each row of `scores` [N, 2] one prediction, with the score of its class.

        Args:
            scores: shares that add up to 1.
            names: names by class id; None takes `label_0` and `label_1`.

        Raises:
            ValueError: there are not two classes, or a score is not a number.
        """
        require(
            scores.shape[1] == 2,
            f"ThreshOutput is for two classes, but there are {scores.shape[1]}; write Topk",
        )
        _check_numbers(scores)
        names = names or self.names
        answers: list[list[Prediction]] = []
        for row in scores:
            class_id = int(row[1] >= self.threshold)
            answers.append([(class_id, float(row[class_id]), names[class_id])])
        return answers


def _check_numbers(scores: np.ndarray) -> None:
    require(
        not np.isnan(scores).any(),
        "a score is not a number, so the classes cannot be ranked; check the weights",
    )


def best_of(scores: np.ndarray, count: int) -> list[int]:
    """Indices of the `count` highest of `scores` [K], highest first; of equal ones the lower index first."""
    least = np.partition(scores, len(scores) - count)[len(scores) - count]
    # More than `count` where scores equal the least one
    candidates = np.flatnonzero(scores >= least)
    order = np.argsort(-scores[candidates], kind="stable")[:count]
    return candidates[order].tolist()
