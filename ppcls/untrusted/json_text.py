"""JSON that somebody else wrote."""

from __future__ import annotations

import json
from typing import Any

from ppcls.untrusted.refusals import Damaged, shown
from ppcls.utils.errors import translated

_MAX_DIGITS = 400


def parse_json(text: str | bytes) -> Any:
    """Parses JSON text, in time in proportion to its length.

    Raises:
        Damaged: it is not JSON, an object has a name twice, or a number is not JSON's or too long.
    """
    with translated(
        (ValueError, RecursionError),
        lambda error: Damaged(f"not valid JSON: {shown(str(error))}"),
    ):
        return json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_whole_number,
            parse_constant=_no_constant,
        )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the name {shown(name)} occurs twice")
        found[name] = value
    return found


def _whole_number(digits: str) -> int:
    # Python's own takes time with the square of their count, before 3.10.7
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")
