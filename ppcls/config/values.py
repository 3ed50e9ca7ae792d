"""Comparison of values as a configuration writes them."""

from collections.abc import Iterable
from typing import Any, get_args


def is_one_of(value: Any, choices: Iterable[Any]) -> bool:
    """Whether a value equals one of the choices and has its type: to Python `1 == True`."""
    return any(type(value) is type(choice) and value == choice for choice in choices)


def item_kinds(annotation: Any, count: int) -> list[Any]:
    """The annotation of each item of a list or tuple of `count` items.

    `tuple[int, str]` gives two whatever the count is, so a list of another length does not fit.
    """
    args = get_args(annotation)
    has_one_kind = len(args) == 1 or args[-1] is Ellipsis
    if has_one_kind:
        return [args[0]] * count
    return list(args)
