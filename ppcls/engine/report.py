"""Collects the scores of an evaluation, and writes its report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

import ppcls
from ppcls.analysis.evaluation import Evaluation
from ppcls.analysis.scores import Scored, log_softmax
from ppcls.data.picture_files import read_file
from ppcls.data.transforms.decode import DecodeImage, UnreadableImage
from ppcls.utils.errors import UserError, expect
from ppcls.utils.logging import get_logger, on_console

_DECODE = DecodeImage()


class ScoreCollector:
    """Keeps the scores of the pictures that an evaluator shows it."""

    def __init__(self) -> None:
        self._pictures: list[str] = []
        self._labels: list[np.ndarray] = []
        self._rows: list[np.ndarray] = []

    def take(self, batch: Any, logits: Any) -> None:
        """Keep the scores of a batch; for `Evaluator.on_batch`."""
        labels = batch.label.numpy()
        if labels.ndim == 2:
            labels = labels.argmax(axis=1)
        self._pictures += batch.paths
        self._labels.append(labels.astype(np.int64))
        self._rows.append(log_softmax(logits.astype("float32").numpy()))

    def scored(self, names: list[str] | None) -> Scored:
        """The scores so far.

        Raises:
            UserError: A score is not a number.
        """
        rows = np.concatenate(self._rows)
        expect(
            not np.isnan(rows).any(),
            "some scores are not numbers, so there is no report; check the weights",
        )
        return Scored(self._pictures, np.concatenate(self._labels), rows, names)


def evaluation_of(
    scored: Scored,
    model: str,
    failures: Mapping[str, str] | None = None,
    facts: Mapping[str, str] | None = None,
) -> Evaluation:
    """Return what a report is written of.

    Args:
        scored: The pictures.
        model: The backbone's name.
        failures: Why a picture could not be read, by its path.
        facts: What else the page names.
    """
    when = f"{datetime.now():%Y-%m-%d %H:%M} by ppcls {ppcls.__version__}"
    known = {**(facts or {}), "Written": when}
    return Evaluation(scored, f"Evaluation of {model}", known, failures or {})


def log_report(page: Path) -> None:
    """Log where a report is."""
    get_logger().info("report: %s", page, extra=on_console(f"report: {page}"))


def read_pixels(picture: str) -> np.ndarray | None:
    """The pixels of a picture file, uint8 [H, W, 3] in RGB; None where there is no such file, as for one in a shard."""
    try:
        return _DECODE(read_file(picture))
    except (OSError, UnreadableImage, UserError):
        return None
