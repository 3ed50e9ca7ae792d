"""Collects the scores of an evaluation, and writes its report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

import ppcls
from ppcls.analysis.evaluation import Evaluation
from ppcls.analysis.evaluation_report import write_report
from ppcls.analysis.scores import Scored, log_softmax
from ppcls.config import Config
from ppcls.data.picture_files import read_file
from ppcls.data.transforms.decode import DecodeImage, UnreadableImage
from ppcls.utils.errors import UserError, expect
from ppcls.utils.logging import get_logger, on_console

_DECODE = DecodeImage()


class ScoreCollector:
    """Keeps the scores of the pictures that an evaluator shows it."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything, before an evaluation."""
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


def report_on(
    scored: Scored,
    config: Config,
    folder: Path,
    failures: Mapping[str, str] | None = None,
    facts: Mapping[str, str] | None = None,
) -> Path:
    """Write the report of an evaluation, and log where.

    Args:
        scored: The pictures.
        config: The configuration.
        folder: Where to.
        failures: Why a picture could not be read, by its path.
        facts: What else the page names.

    Returns:
        The page.
    """
    known = {
        "Model": config.Arch.name,
        **(facts or {}),
        "Written": f"{datetime.now():%Y-%m-%d %H:%M} by ppcls {ppcls.__version__}",
    }
    evaluation = Evaluation(
        scored, f"Evaluation of {config.Arch.name}", known, failures or {}
    )
    page = write_report(evaluation, folder, read_pixels)
    get_logger().info("report: %s", page, extra=on_console(f"report: {page}"))
    return page


def read_pixels(picture: str) -> np.ndarray | None:
    """The pixels of a picture file, uint8 [H, W, 3] in RGB; None where there is no such file, as for one in a shard."""
    try:
        return _DECODE(read_file(picture))
    except (OSError, UnreadableImage, UserError):
        return None
