"""Pictures whose label is likely wrong, found by confident learning.

Source: Northcutt, Jiang and Chuang 2021, Confident Learning, arXiv:1911.00068, sections 3.1 and 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ppcls.analysis.scores import Scored


@dataclass(frozen=True)
class Suspect:
    """A picture whose label is likely wrong.

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
