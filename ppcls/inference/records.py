"""Mappings of a manifest into frozen dataclasses: known keys, none missing but with a default, right types."""

from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ppcls.utils.errors import UserError, suggest
from ppcls.utils.fields import is_union

T = TypeVar("T")


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
    if not isinstance(value, dict):
        raise UserError(
            f"{where}: a mapping is expected, not {value!r}; export the model again"
        )
    wanted = [field for field in fields(cls) if field.name not in known]  # type: ignore[arg-type]
    names = [field.name for field in wanted]
    for key in value:
        if key not in names:
            raise UserError(
                f"{where}: nothing reads the key {key!r}{suggest(str(key), names)}; remove it"
            )
    missing = [
        field.name
        for field in wanted
        if field.default is MISSING and field.name not in value
    ]
    if missing:
        raise UserError(
            f"{where}: {', '.join(missing)} is missing; export the model again"
        )
    hints = get_type_hints(cls)
    values = {
        name: _convert(hints[name], value[name], f"{where} {name}")
        for name in names
        if name in value
    }
    try:
        return cls(**known, **values)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error


def _convert(hint: Any, value: Any, where: str) -> Any:
    if isinstance(hint, type) and is_dataclass(hint):
        return read_record(hint, value, where)
    if hint is Any:
        return value
    if is_union(hint):  # X | None
        return None if value is None else _convert(get_args(hint)[0], value, where)
    if get_origin(hint) is tuple:  # tuple[X, ...]
        if not isinstance(value, list):
            raise UserError(
                f"{where}: a list is expected, not {value!r}; export the model again"
            )
        return tuple(
            _convert(get_args(hint)[0], item, f"{where}[{i}]")
            for i, item in enumerate(value)
        )
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise UserError(
            f"{where}: {hint.__name__} is expected, not {value!r}; export the model again"
        )
    return value
