"""An evaluation: the scores of labelled pictures, and every figure that a report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

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
from ppcls.analysis.label_errors import Suspect, likely_label_errors
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
