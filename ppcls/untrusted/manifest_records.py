"""Mappings of a manifest into frozen dataclasses: known keys, none missing but with a default, right types."""

from dataclasses import is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ppcls.utils.errors import UserError, expect, shortened, translated
from ppcls.utils.fields import FieldError, check_keys, is_union

T = TypeVar("T")
_AGAIN = "export the model again"
_SHOWN = 100  # characters of a value
_LONGEST = 600  # characters of what a check says


def shown(value: Any) -> str:
    """A value for messages, in at most 100 characters, however large it is."""
    if isinstance(value, str):
        return repr(value[:_SHOWN])
    if isinstance(value, (dict, list)) and value:
        return "a mapping" if isinstance(value, dict) else "a list"
    return repr(value)[:_SHOWN]


def read_record(cls: type[T], value: Any, where: str, **known: Any) -> T:
    """Makes a `cls` of a mapping.

    Args:
        cls: a dataclass; its annotations say the types, its `__post_init__` (ValueError) the possible values.
        value: what YAML gave.
        where: the file, and the key inside it, for messages.
        known: fields that do not come from the mapping.

    Raises:
        UserError: with `where`, what is wrong, and the remedy.
    """
    expect(
        isinstance(value, dict),
        f"{where}: a mapping is expected, not {shown(value)}; {_AGAIN}",
    )
    try:
        check_keys(cls, value, given=known)
    except FieldError as error:
        text = str(error)
        if error.key not in value:
            text = f"{error.key} is missing; {_AGAIN}"
        raise UserError(f"{where}: {shortened(text, _LONGEST)}") from error
    hints = get_type_hints(cls)
    values = {}
    for name, item in value.items():
        values[name] = _convert(hints[name], item, f"{where} {name}")
    with translated(
        ValueError,
        lambda error: UserError(f"{where}: {shortened(str(error), _LONGEST)}"),
    ):
        return cls(**known, **values)


def _convert(hint: Any, value: Any, where: str) -> Any:
    """The value as its annotation has it: a dataclass, X | None, tuple[X, ...], dict[str, Any] or a plain type."""
    origin, args = get_origin(hint), get_args(hint)
    if is_union(hint):
        if value is None:
            return None
        return _convert(args[0], value, where)
    if origin is tuple:
        return _tuple(args[0], value, where)
    if isinstance(hint, type) and is_dataclass(hint):
        return read_record(hint, value, where)
    if hint is not Any:
        _check_class(origin or hint, value, where)
    return value


def _check_class(expected: type, value: Any, where: str) -> None:
    is_right = isinstance(value, expected)
    if isinstance(value, bool):
        is_right = expected is bool  # to Python it is a whole number, too
    expect(
        is_right,
        f"{where}: {expected.__name__} is expected, not {shown(value)}; {_AGAIN}",
    )


def _tuple(hint: Any, value: Any, where: str) -> tuple[Any, ...]:
    expect(
        isinstance(value, list),
        f"{where}: a list is expected, not {shown(value)}; {_AGAIN}",
    )
    items = enumerate(value)
    return tuple(_convert(hint, item, f"{where}[{place}]") for place, item in items)
