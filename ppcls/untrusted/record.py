"""What a file of weights holds: arrays by name, and as JSON text what `write_weights` was told to remember."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.untrusted.refusals import shown
from ppcls.utils.errors import UserError

Content = tuple[dict[str, np.ndarray], dict[str, Any] | None]


def parse_record(path: Path, text: Any) -> dict[str, Any]:
    """What the JSON text of a record says.

    Raises:
        UserError: it is no JSON object, or one of its names is no text.
    """
    try:
        record = json.loads(text, parse_constant=_no_constant)
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: its record is no JSON text ({shown(str(error))}); convert the weights again"
        ) from error
    if not isinstance(record, dict):
        raise UserError(
            f"{path}: its record is no JSON object; convert the weights again"
        )
    for key in ("model", "source", "url", "licence"):
        if not isinstance(record.get(key), (str, type(None))):
            raise UserError(
                f"{path}: the {key} in its record is of type {type(record[key]).__name__} and not text; "
                "convert the weights again"
            )
    return record


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
