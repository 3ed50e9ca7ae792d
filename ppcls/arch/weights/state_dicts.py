"""The arrays in what a training script saved: the whole dictionary, or one that lies in it beside other things."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.arch.weights.layouts import NAME_TABLE
from ppcls.untrusted.arrays import native
from ppcls.untrusted.pickle_stand_ins import Inert
from ppcls.untrusted.refusals import shown
from ppcls.utils.errors import UserError
from ppcls.utils.logging import get_logger

# The entries of a training script's file that hold weights, and those that hold their exponential moving average.
_RAW = ("state_dict", "model", "model_state_dict", "net", "params")
_EMA = ("state_dict_ema", "model_ema", "ema_state_dict", "ema", "params_ema")
# Where an entry is an object's state, which holds the weights beside its settings.
_INNER = ("module", "state_dict", "model")
_OPTIMIZER = {"state", "param_groups"}
# What wrappers put before the names of a network: DataParallel and AveragedModel, torch.compile, FSDP, activation
# checkpointing, and a module around the backbone. Some wrap any part of a network.
_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
_PREFIXES = ("module.", "model.", "net.", "backbone.", *_WRAPPERS)
_WITHIN = re.compile(rf"(?<![^.])(?:{'|'.join(map(re.escape, _WRAPPERS))})")
# How many models torch's AveragedModel averages; the only name without its prefix
_AVERAGED = "n_averaged"
# Of all names: as many begin with a prefix where the others are a loss's and metrics'
_NETWORK = 0.75


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
        remedy = (
            "save its state_dict()"
            if isinstance(content, Inert)
            else "give a file of weights"
        )
        raise UserError(
            f"{path}: holds no weights by name; it is {_kind(content)}; {remedy}"
        )
    # Before the whole, because an array such as the best accuracy may stand beside them.
    raw = next((name for name in _RAW if _arrays_in(content.get(name))), None)
    average = next((name for name in _EMA if _arrays_in(content.get(name))), None)
    if raw and average:
        taken, other = (average, raw) if use_ema else (raw, average)
        option = (
            "Arch.use_ema=false (ppcls convert --no-ema)"
            if use_ema
            else "Arch.use_ema=true"
        )
        get_logger().info(
            "%s: holds weights (%s) and their moving average (%s); %s is loaded, %s loads %s",
            path, raw, average, taken, option, other,
        )  # fmt: skip
        return _arrays_in(content[taken])
    if average and not use_ema:
        raise UserError(
            f"{path}: holds no weights but their moving average ({average}); leave Arch.use_ema, or --no-ema, out"
        )
    if raw or average:
        return _arrays_in(content[raw or average])
    if _holds_arrays(content):
        return dict(content)
    return _only_part(path, content)


def _only_part(path: Path, content: dict[Any, Any]) -> dict[Any, Any]:
    """The one entry that holds arrays, whatever its name.

    Raises:
        UserError: there is none, or more than one.
    """
    parts = [name for name, value in content.items() if _arrays_in(value)]
    if len(parts) == 1:
        get_logger().info(
            "%s: the arrays of its entry %s are loaded", path, shown(parts[0])
        )
        return _arrays_in(content[parts[0]])
    if parts:
        names = ", ".join(shown(part) for part in parts[:5])
        raise UserError(
            f"{path}: holds {len(parts)} sets of arrays ({names}); save the one that you want by itself"
        )
    if content.keys() >= _OPTIMIZER:
        raise UserError(
            f"{path}: holds the state of an optimizer and no weights; give the file of the model's weights"
        )
    for name in _RAW:
        if isinstance(content.get(name), Inert):
            raise UserError(
                f"{path}: its {name} is {_kind(content[name])} and not weights; save its state_dict()"
            )
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
            raise UserError(
                f"{path}: a tensor's name is of type {type(key).__name__} and not text; give a state dict"
            )
        if key == NAME_TABLE:
            continue
        if array is None:
            raise UserError(
                f"{path}: {shown(key)} is {_kind(value)} and not an array; give a state dict"
            )
        arrays[key] = native(array)
    return arrays


def without_prefix(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays by the names that the network itself gives them; what is left out is logged.

    That is a prefix of all names (`module.`, `model.`, `module._orig_mod.`, ...), the arrays of a loss and of metrics
    beside a network that has such a prefix, and what torch's wrappers put into names.
    """
    whole, which = "", "every name"
    while (prefix := _network_prefix(arrays)) is not None:
        others = [
            key for key in arrays if not key.startswith(prefix) and key != _AVERAGED
        ]
        if others:  # of a loss, of metrics, or a head apart from its backbone
            get_logger().warning(
                "%s: %d names begin with %s and are taken; the other %d (first %s) are left out",
                path, len(arrays) - len(others), whole + prefix, len(others), shown(whole + others[0]),
            )  # fmt: skip
            which = "every other name"
        whole += prefix
        arrays = {
            key[len(prefix) :]: array
            for key, array in arrays.items()
            if key.startswith(prefix)
        }
    if whole:
        get_logger().info(
            "%s: %s begins with %s, which is left out", path, which, whole
        )
    return _without_wrappers(path, arrays)


def _network_prefix(arrays: Mapping[str, Any]) -> str | None:
    """The prefix that all names have, or nearly all."""
    names = [key for key in arrays if key != _AVERAGED]
    for prefix in _PREFIXES:
        count = sum(key.startswith(prefix) and key != prefix for key in names)
        if count and count >= _NETWORK * len(names):
            return prefix
    return None


def _without_wrappers(
    path: Path, arrays: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Arrays without the names of wrappers around parts of the network, unless two names would become one."""
    names = {key: _WITHIN.sub("", key) for key in arrays}
    changed = [key for key, name in names.items() if key != name]
    if not changed or len(set(names.values())) < len(names):
        return arrays
    get_logger().info(
        "%s: wrappers in %d names (first %s) are left out",
        path,
        len(changed),
        shown(changed[0]),
    )
    return {names[key]: array for key, array in arrays.items()}


def _kind(value: Any) -> str:
    """What a value is, for messages."""
    return (
        f"a {value.name}"
        if isinstance(value, Inert)
        else f"of type {type(value).__name__}"
    )


def _array_of(value: Any) -> np.ndarray | None:
    """A value's array; `paddle.save` writes a tensor inside of other containers as (name, array)."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        value = value[1]
    return value if isinstance(value, np.ndarray) else None


def _holds_arrays(content: Any) -> bool:
    return isinstance(content, dict) and any(
        _array_of(value) is not None for value in content.values()
    )


def _arrays_in(value: Any) -> dict[Any, Any]:
    """The dictionary of arrays that an entry is, or has among an object's settings; empty if there is none."""
    if not isinstance(value, dict):
        return {}
    if _holds_arrays(value):
        return dict(value)
    for name in _INNER:
        if _holds_arrays(value.get(name)):
            return dict(value[name])
    return {}
