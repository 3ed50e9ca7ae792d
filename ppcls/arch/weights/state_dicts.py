"""The arrays in what a training script saved: the whole dictionary, or one that lies in it beside other things."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.arch.weights.arrays import native
from ppcls.arch.weights.layouts import NAME_TABLE
from ppcls.utils.errors import UserError
from ppcls.utils.untrusted import shown

_WRAPPERS = ("state_dict", "model", "model_state_dict", "state_dict_ema", "model_ema", "ema_state_dict", "net")
_PREFIXES = ("module.", "_orig_mod.")  # what torch's DataParallel and torch.compile add


def unwrap(path: Path, content: Any) -> dict[Any, Any]:
    """The dictionary that holds the arrays: the whole, or the one that a training script put beside other things."""
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds no weights by name but a {type(content).__name__}; give a file of weights")
    for wrapper in _WRAPPERS:  # first, for an array such as the best accuracy may stand beside it
        if _holds_arrays(content.get(wrapper)):
            return dict(content[wrapper])
    if _holds_arrays(content):
        return dict(content)
    names = ", ".join(shown(key) for key in list(content)[:5]) or "nothing"
    raise UserError(f"{path}: holds no arrays but {names}; give a file of weights")


def only_arrays(path: Path, state: Mapping[Any, Any]) -> dict[str, np.ndarray]:
    """Arrays by name, in this machine's byte order; without `module.` or `_orig_mod.` if all names begin so.

    Raises:
        UserError: something else stands among them.
    """
    arrays: dict[str, np.ndarray] = {}
    for key, value in state.items():
        array = _array_of(value)
        if not isinstance(key, str):
            raise UserError(f"{path}: a tensor's name is of type {type(key).__name__} and not text; give a state dict")
        if key == NAME_TABLE:
            continue
        if array is None:
            raise UserError(
                f"{path}: {shown(key)} is of type {type(value).__name__} and not an array; give a state dict"
            )
        arrays[key] = native(array)
    for prefix in (*_PREFIXES, *_PREFIXES):  # in either order
        if all(key.startswith(prefix) for key in arrays):
            arrays = {key[len(prefix) :]: array for key, array in arrays.items()}
    return arrays


def _array_of(value: Any) -> np.ndarray | None:
    """A value's array; `paddle.save` writes a tensor inside of other containers as (name, array)."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        value = value[1]
    return value if isinstance(value, np.ndarray) else None


def _holds_arrays(content: Any) -> bool:
    return isinstance(content, dict) and any(_array_of(value) is not None for value in content.values())
