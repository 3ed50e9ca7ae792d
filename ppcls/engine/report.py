"""What the report of an evaluation is written of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import numpy as np

import ppcls
from ppcls.analysis.evaluation import Evaluation
from ppcls.analysis.scores import Scored
from ppcls.data.picture_files import read_file
from ppcls.data.transforms.decode import DecodeImage, UnreadableImage
from ppcls.utils.errors import UserError
from ppcls.utils.logging import get_logger, on_console

_DECODE = DecodeImage()


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
