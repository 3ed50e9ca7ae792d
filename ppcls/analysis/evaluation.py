"""An evaluation: the scores of labelled pictures, and every figure that a report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ppcls.analysis.calibration import (
    Reliability,
    Tempered,
    brier_score,
    reliability,
    tempered,
)
from ppcls.analysis.class_figures import (
    ClassFigures,
    Confusion,
    topk_accuracies,
)
from ppcls.analysis.scores import Scored


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scored pictures, and the figures of a report, each computed once.

    Attributes:
        scored: The pictures.
        title: The heading of the page.
        facts: What else the page names, such as the model and the weights.
        failures: Why a picture could not be read, by its path.
    """

    scored: Scored
    title: str = "Evaluation"
    facts: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def by_class(self) -> ClassFigures:
        """Figures by class, and their averages."""
        return ClassFigures.of(self.scored)

    @cached_property
    def topk(self) -> dict[str, float]:
        """Top-1, and top-5 where there are more classes."""
        return topk_accuracies(self.scored)

    @cached_property
    def confusions(self) -> list[Confusion]:
        """Pairs of classes that are confused."""
        return self.by_class.confusions()

    @cached_property
    def reliability(self) -> Reliability:
        """Confidence against accuracy."""
        return reliability(self.scored.confidence, self.scored.is_right)

    @cached_property
    def tempered(self) -> Tempered:
        """The temperature that the logits should be divided by."""
        return tempered(self.scored)

    @cached_property
    def label_errors(self) -> list[Suspect]:
        """Pictures whose label is likely wrong."""
        return likely_label_errors(self.scored)

    def metrics(self) -> dict[str, Any]:
        """Every figure of the whole, as plain values."""
        return {
            "pictures": len(self.scored),
            "unreadable": len(self.failures),
            "classes": self.scored.classes,
            **self.topk,
            "loss": float(self.scored.loss.mean()),
            "balanced_accuracy": self.by_class.balanced_accuracy,
            "macro": asdict(self.by_class.macro),
            "weighted": asdict(self.by_class.weighted),
            "expected_calibration_error": self.reliability.expected_error,
            "largest_calibration_error": self.reliability.largest_error,
            "brier_score": brier_score(self.scored),
            "temperature": self.tempered.temperature,
            "with_temperature": {
                "loss": self.tempered.loss,
                "expected_calibration_error": self.tempered.expected_error,
            },
            "likely_label_errors": len(self.label_errors),
            "facts": dict(self.facts),
        }


@dataclass(frozen=True)
class Suspect:
    """A picture whose label is likely wrong, found by confident learning.

    Source: Northcutt, Jiang and Chuang 2021, Confident Learning, arXiv:1911.00068, sections 3.1 and 3.2.

    Attributes:
        index: Its place among the pictures.
        suggested: The class that the model is confident of.
        margin: The probability of its label minus that of the suggested class; the lower, the likelier the error.
    """

    index: int
    suggested: int
    margin: float


def likely_label_errors(scored: Scored) -> list[Suspect]:
    """The pictures that the model confidently counts to another class, the likeliest error first.

    The model is confident of a class where its probability is at least the mean that pictures with this label get.
    A model that has learnt these very labels would repeat them: give pictures that it was not trained on.
    """
    thresholds = _thresholds(scored)
    suspects = []
    # Only a picture that is predicted otherwise, or confidently a class below the best one, can be a suspect
    for index in np.flatnonzero(_may_be_wrong(scored, thresholds)):
        row = np.exp(scored.log_probabilities[index].astype(np.float64))
        confident = np.where(row >= thresholds, row, -1)
        suggested, label = int(confident.argmax()), int(scored.labels[index])
        if confident[suggested] < 0 or suggested == label:
            continue
        margin = float(row[label] - row[suggested])
        if margin < 0:
            suspects.append(Suspect(int(index), suggested, margin))
    return sorted(suspects, key=lambda suspect: (suspect.margin, suspect.index))


def _thresholds(scored: Scored) -> np.ndarray:
    """The mean probability of each class over the pictures with this label; infinite for a class without any."""
    counts = np.bincount(scored.labels, minlength=scored.classes)
    sums = np.bincount(
        scored.labels, weights=scored.label_probability, minlength=scored.classes
    )
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)


def _may_be_wrong(scored: Scored, thresholds: np.ndarray) -> np.ndarray:
    """Whether a picture is predicted wrongly, bool [N]; of right ones no other class has a higher probability."""
    least = thresholds[np.isfinite(thresholds)].min()
    return ~scored.is_right & (scored.confidence >= least)
