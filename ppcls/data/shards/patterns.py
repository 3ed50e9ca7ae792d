"""Brace patterns of shards: `train-{000000..000099}.tar`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_letters

from ppcls.data.shards.streams import is_command, webdataset_tools
from ppcls.utils.errors import UserError, brief
from ppcls.utils.fields import require

_MOST_SHARDS = 100_000
_MOST_CHARACTERS = 30_000_000  # of all addresses
_RANGE = re.compile(r"\{(-?\d+)\.\.(-?\d+)(?:\.\.-?(\d+))?\}")
_LETTERS = re.compile(r"\{([A-Za-z])\.\.([A-Za-z])(?:\.\.-?\d+)?\}")
_MOST_DIGITS = 15
_MOST_DEPTH = 20  # of braces in braces


def expand(patterns: Sequence[str]) -> list[str]:
    """The addresses that patterns stand for, in their order.

    Raises:
        UserError: webdataset is missing, a pattern is wrong or stands for too many shards, or it becomes a command
            that is not written as one, which nobody has consented to.
    """
    _, braceexpand = webdataset_tools()
    addresses: list[str] = []
    for pattern in patterns:
        _require_few(pattern)
        try:
            _require_flat(pattern)
            found = list(braceexpand(pattern))
        except ValueError as error:
            raise UserError(
                f"shards {brief(pattern)!r}: {brief(str(error))}; write a pattern such as train-{{000000..000099}}.tar"
            ) from error
        if not is_command(pattern) and any(map(is_command, found)):
            raise UserError(
                f"shards {brief(pattern)!r}: the braces make a command of it; write `pipe:` in front of them"
            )
        addresses += found
        if len(addresses) > _MOST_SHARDS:
            raise _too_many(pattern)
    return addresses


def _require_few(pattern: str) -> None:
    """Refuse a pattern for too many addresses before it is expanded, which would take all memory."""
    most = _most_expansions(pattern)
    if most > _MOST_SHARDS or most * len(pattern) > _MOST_CHARACTERS:
        raise _too_many(pattern)


def _require_flat(pattern: str) -> None:
    """Refuse braces that lie too deep in each other, for which braceexpand takes long before Python ends its calls."""
    depth = 0
    for character in pattern:
        depth += {"{": 1, "}": -1}.get(character, 0)
        require(depth <= _MOST_DEPTH, "too many braces in each other")


def _most_expansions(pattern: str) -> int:
    """At least as many as the addresses of a pattern; exact unless braces lie in each other."""
    count = 1
    for first, last in _LETTERS.findall(pattern):
        count *= abs(ascii_letters.index(first) - ascii_letters.index(last)) + 1
    for start, end, step in _RANGE.findall(pattern):
        if max(map(len, (start, end, step))) > _MOST_DIGITS:
            return _MOST_SHARDS + 1
        span = abs(int(end) - int(start))
        count *= span // max(int(step or 1), 1) + 1
    commas: list[int] = []
    for character in pattern:
        if character == "{":
            commas.append(0)
        elif character == "," and commas:
            commas[-1] += 1
        elif character == "}" and commas:
            count *= commas.pop() + 1
        if count > _MOST_SHARDS:
            break
    return count


def _too_many(pattern: str) -> UserError:
    return UserError(
        f"shards {brief(pattern)!r}: more than {_MOST_SHARDS:,} shards; write fewer, or as shards the manifest.json of "
        "`ppcls pack`"
    )
