"""What a file of weights holds: arrays by name, and as JSON text the record that `write_weights` adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ppcls.untrusted.json_text import parse_json
from ppcls.untrusted.limits import MAX_NAME
from ppcls.untrusted.refusals import Damaged, shown
from ppcls.utils.errors import UserError, expect, translated

Content = tuple[dict[str, np.ndarray], dict[str, Any] | None]
# The entry that Paddle adds to what it saves: a table of parameter names, not a tensor.
NAME_TABLE = "StructuredToParameterName@@"
# The entry of a .pdparams file with the record; not a tensor either.
RECORD = "ppcls_record@@"
_AGAIN = "convert the weights again"
_TEXTS = ("model", "source", "url", "licence")


def parse_record(path: Path, text: Any) -> dict[str, Any]:
    """Parses the JSON text of a record.

    Raises:
        UserError: it is not a JSON object, or one of its entries is not what it should be.
    """
    expect(
        isinstance(text, str),
        f"{path}: its record is of type {type(text).__name__}, not text; {_AGAIN}",
    )
    with translated(
        Damaged, lambda error: UserError(f"{path}: its record is {error}; {_AGAIN}")
    ):
        record = parse_json(text)
    expect(
        isinstance(record, dict), f"{path}: its record is not a JSON object; {_AGAIN}"
    )
    for key in _TEXTS:
        _check_text(path, key, record.get(key))
    _check_arguments(path, record.get("arguments", {}))
    return record


def _check_text(path: Path, key: str, value: Any) -> None:
    if value is None:
        return
    expect(
        isinstance(value, str),
        f"{path}: the {key} in its record is of type {type(value).__name__}, not text; {_AGAIN}",
    )
    expect(
        len(value) <= MAX_NAME,
        f"{path}: the {key} in its record has {len(value):,} characters, more than {MAX_NAME}; {_AGAIN}",
    )
    expect(
        value.isprintable(),
        f"{path}: the {key} in its record has characters that cannot be printed ({shown(value)}); {_AGAIN}",
    )


def _check_arguments(path: Path, arguments: Any) -> None:
    """Refuses arguments that are too long for a message; of which type each has to be, the model knows."""
    if not isinstance(arguments, dict):
        return
    for name, value in arguments.items():
        expect(
            len(name) + len(str(value)) <= MAX_NAME,
            f"{path}: the argument {shown(name)} in its record is too long; {_AGAIN}",
        )
