"""The picture and the page of a run in its folder, for those who look rather than read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppcls.analysis import run_report
from ppcls.engine.callbacks.evaluation import EvaluateEpochs
from ppcls.engine.report import evaluation_of, log_report, read_pixels
from ppcls.engine.trainer import Callback, Trainer
from ppcls.utils.errors import Unavailable
from ppcls.utils.logging import get_logger

# Of the time between two evaluations, beyond which a drawing is left out
_MOST = 1 / 20
_EXPECTED = 1.0  # seconds of the first drawing, which also loads matplotlib


@dataclass
class DrawReport(Callback):
    """Draws `curves.png` and `report.html` after each evaluation, or after each epoch where nothing is evaluated.

    Both are made from the log, so that a resumed run has all of its epochs. Of very short epochs some are left out,
    so that drawing takes a twentieth of the time at most; the end of a run is always drawn. A drawing must not end
    the run: whatever goes wrong is logged once, and nothing more is drawn.

    Attributes:
        folder: Of the run.
        evaluation: After which it draws.
        best: Writes the report that the page links to, before this one's `train_end`.
    """

    folder: Path
    evaluation: EvaluateEpochs | None = None
    best: ReportBest | None = None
    _evaluations: int = 0
    _took: float = _EXPECTED
    _drawn_at: float = 0.0
    _is_due: bool = False
    _has_failed: bool = False

    def train_begin(self, trainer: Trainer) -> None:
        """Take the time before the first drawing."""
        self._drawn_at = time.monotonic()

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
        """Draw what was left out, and the link to a report."""
        has_report = self.best is not None and self.best.is_written
        if self._is_due or has_report:
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


@dataclass
class ReportBest(Callback):
    """Writes the report of the best evaluation into `evaluation/` when the training is over.

    The pictures are not evaluated again: their scores were kept. A resumed run whose best evaluation was before has
    none. Like a drawing, a report must not end the run.
    """

    folder: Path
    model: str
    evaluation: EvaluateEpochs
    class_names: Sequence[str] | None = None
    is_written: bool = False

    def train_end(self, trainer: Trainer) -> None:
        """Write it."""
        kept, best = self.evaluation.best_scores, trainer.state.best
        if kept is None or not best:
            return
        try:
            page = self._write(kept, best["epoch"] + 1)
        except Unavailable as error:
            get_logger().info("no report of the best weights: %s", error)
        # See the class
        except Exception as error:
            get_logger().warning(
                "the report of the best weights cannot be written (%s: %s)",
                type(error).__name__,
                error,
            )
        else:
            self.is_written = True
            log_report(page)

    def _write(self, kept: Any, epoch: int) -> Path:
        facts = {"Weights": f"best_model, of epoch {epoch}"}
        failures = self.evaluation.evaluator.loader.failures
        scored = kept.scored(self.class_names)
        found = evaluation_of(scored, self.model, failures, facts)
        return run_report.write_best_report(found, self.folder, read_pixels)
