"""What a training, an evaluation and an export return. Paddle is not loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class TrainingResult(os.PathLike[str]):
    """What a training has written, and how good it became.

    Attributes:
        output_dir: The folder of the run.
        config_file: The configuration in it, for `evaluate` and `export`.
        epochs: How many epochs are trained, with those of a run that was resumed.
        latest: The checkpoint of the end.
        best_model: The checkpoint of the best evaluation; None if there was no evaluation.
        best_epoch: The epoch of the best evaluation, from 1; None if there was none.
        metric: The name of the metric that decides which evaluation is best, such as `top1`; None if there was none.
        best_metric: Its value in the best evaluation; None if there was none.
        metrics: Every metric and the loss of the best evaluation, by name.
        history: The same of each evaluation of this call, with its `epoch`, from 1.
    """

    output_dir: Path
    config_file: Path
    epochs: int
    latest: Path
    best_model: Path | None = None
    best_epoch: int | None = None
    metric: str | None = None
    best_metric: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    history: tuple[Mapping[str, float], ...] = ()

    def __fspath__(self) -> str:
        """The configuration, so that `evaluate(result)` and `export(result)` go on from here."""
        return str(self.config_file)


@dataclass(frozen=True)
class EvaluationResult:
    """The accuracy of weights on a data set.

    Attributes:
        metrics: Every metric and the loss, by name: `{"top1": 0.9, "loss": 0.3}`.
        pictures: How many pictures were evaluated.
        failures: Why a picture could not be read, by its path.
        report: The page of the report; None where none was asked for.
    """

    metrics: Mapping[str, float]
    pictures: int
    failures: Mapping[str, str] = field(default_factory=dict)
    report: Path | None = None


@dataclass(frozen=True)
class ExportResult(os.PathLike[str]):
    """An exported bundle, which `Classifier` takes.

    Attributes:
        folder: The bundle's folder.
        input_difference: The largest difference of the bundle's preprocessed example from the model's.
        score_difference: The largest difference of the bundle's scores from the model's, relative to their spread.
    """

    folder: Path
    input_difference: float
    score_difference: float

    def __fspath__(self) -> str:
        """The bundle's folder."""
        return str(self.folder)
