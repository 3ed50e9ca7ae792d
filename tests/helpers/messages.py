"""Compare messages by what they must name: the file, the key, the value and the remedy, with "..." for the rest."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from ppcls.utils.errors import UserError


def refusal(call: Callable[..., Any], *arguments: Any, **keywords: Any) -> str:
    """The message of the `UserError` that a call ends with."""
    with pytest.raises(UserError) as caught:
        call(*arguments, **keywords)
    return str(caught.value)


def pattern(message: str) -> str:
    """A regular expression for `pytest.raises`: the parts between " ... " in this order, within one line."""
    return ".*".join(re.escape(part) for part in re.split(r" ?\.\.\. ?", message))


class says(str):
    """A message with " ... " for words that may change; it equals every text of one line that has its parts in order.

    What stands before the first and after the last " ... " begins and ends that text, as with doctest's ELLIPSIS.
    """

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, text: object) -> bool:
        return isinstance(text, str) and re.fullmatch(pattern(self), text) is not None

    def __ne__(self, text: object) -> bool:
        return not self == text

    def __repr__(self) -> str:
        return f"says({str.__repr__(self)})"
