"""The arrays in what a training script saved: the whole dictionary, or one that lies in it beside other things."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.arch.weights.arrays import native
from ppcls.arch.weights.layouts import NAME_TABLE
from ppcls.utils.errors import UserError
from ppcls.utils.logging import get_logger
from ppcls.utils.pickle_stand_ins import Inert
from ppcls.utils.untrusted import shown

# The entries of a training script's file that hold weights, and those that hold their exponential moving average.
_RAW = ("state_dict", "model", "model_state_dict", "net")
_EMA = ("state_dict_ema", "model_ema", "ema_state_dict", "ema")
# What DataParallel and AveragedModel, torch.compile, and a module around the backbone put before every name.
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "backbone.")
_AVERAGED = "n_averaged"  # how many models torch's AveragedModel averages; the only name without its prefix


def unwrap(path: Path, content: Any, use_ema: bool = True) -> dict[Any, Any]:
    """The dictionary that holds the arrays: the whole, or the one that a training script put beside other things.

    Args:
        path: The file, for messages.
        content: What it holds.
        use_ema: Which one to take where the file holds both weights and their moving average.

    Raises:
        UserError: there are no arrays by name, or only a moving average, which `use_ema` does not allow.
    """
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds no weights by name; it is {_kind(content)}; give a file of weights")
    # Before the whole, because an array such as the best accuracy may stand beside them.
    raw = next((name for name in _RAW if _holds_arrays(content.get(name))), None)
    average = next((name for name in _EMA if _holds_arrays(content.get(name))), None)
    if raw and average:
        taken, other = (average, raw) if use_ema else (raw, average)
        get_logger().info(
            "%s: holds weights (%s) and their moving average (%s); %s is loaded, Arch.use_ema=%s loads %s",
            path, raw, average, taken, str(not use_ema).lower(), other,
        )  # fmt: skip
        return dict(content[taken])
    if average and not use_ema:
        raise UserError(f"{path}: holds no weights but their moving average ({average}); leave Arch.use_ema out")
    if raw or average:
        return dict(content[raw or average])
    if _holds_arrays(content):
        return dict(content)
    names = ", ".join(shown(key) for key in list(content)[:5]) or "nothing"
    raise UserError(f"{path}: holds no arrays but {names}; give a file of weights")


def only_arrays(path: Path, state: Mapping[Any, Any]) -> dict[str, np.ndarray]:
    """Arrays by name, in this machine's byte order.

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
            raise UserError(f"{path}: {shown(key)} is {_kind(value)} and not an array; give a state dict")
        arrays[key] = native(array)
    return arrays


def without_prefix(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays without what stands before every name, which is logged: `module.`, `model.`, `module._orig_mod.` ..."""
    whole = ""
    while (prefix := _common_prefix(arrays)) is not None:
        whole += prefix
        arrays = {key[len(prefix) :]: array for key, array in arrays.items() if key != _AVERAGED}
    if whole:
        get_logger().info("%s: every name begins with %s, which is left out", path, whole)
    return arrays


def _common_prefix(arrays: Mapping[str, Any]) -> str | None:
    for prefix in _PREFIXES:
        names = [key for key in arrays if not (prefix == "module." and key == _AVERAGED)]
        if names and all(key.startswith(prefix) and key != prefix for key in names):
            return prefix
    return None


def _kind(value: Any) -> str:
    """What a value is, for messages."""
    return f"a {value.name}" if isinstance(value, Inert) else f"of type {type(value).__name__}"


def _array_of(value: Any) -> np.ndarray | None:
    """A value's array; `paddle.save` writes a tensor inside of other containers as (name, array)."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        value = value[1]
    return value if isinstance(value, np.ndarray) else None


def _holds_arrays(content: Any) -> bool:
    return isinstance(content, dict) and any(_array_of(value) is not None for value in content.values())
