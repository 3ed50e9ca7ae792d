"""The picture and the page of a run in its folder, for those who look rather than read."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ppcls.analysis import run_report
from ppcls.engine.callbacks.evaluation import EvaluateEpochs
from ppcls.engine.trainer import Callback, Trainer
from ppcls.utils.logging import get_logger

# Of the time between two evaluations, beyond which a drawing is left out
_MOST = 1 / 20


@dataclass
class DrawReport(Callback):
    """Draws `curves.png` and `report.html` after each evaluation, or after each epoch where nothing is evaluated.

    Both are made from the log, so that a resumed run has all of its epochs. Of very short epochs some are left out,
    so that drawing takes a twentieth of the time at most; the end of a run is always drawn. A drawing must not end
    the run: whatever goes wrong is logged once, and nothing more is drawn.
    """

    folder: Path
    evaluation: EvaluateEpochs | None = None
    _evaluations: int = 0
    _took: float = 0.0
    _drawn_at: float = 0.0
    _is_due: bool = False
    _has_failed: bool = False

    def epoch_closed(self, trainer: Trainer) -> None:
        """Draw, if there was an evaluation."""
        if self.evaluation is not None:
            evaluations = len(self.evaluation.history)
            self._is_due = self._is_due or evaluations > self._evaluations
            self._evaluations = evaluations
        else:
            self._is_due = True
        since = time.monotonic() - self._drawn_at
        if self._is_due and self._took <= _MOST * since:
            self._draw()

    def train_end(self, trainer: Trainer) -> None:
        """Draw what was left out."""
        if self._is_due:
            self._draw()

    def _draw(self) -> None:
        if self._has_failed:
            return
        begun = time.monotonic()
        try:
            run_report.write_run_report(self.folder)
        # See the class: any failure is logged, and the run continues
        except Exception as error:
            self._has_failed = True
            get_logger().warning(
                "the report of the run cannot be drawn (%s: %s); the run continues without it",
                type(error).__name__,
                error,
            )
        self._drawn_at = time.monotonic()
        self._took = self._drawn_at - begun
        self._is_due = False
