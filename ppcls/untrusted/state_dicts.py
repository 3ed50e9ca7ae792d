"""The arrays in what a training script saved: the whole dictionary, or a dictionary inside it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ppcls.untrusted.npz import native
from ppcls.untrusted.pickle_stand_ins import Inert
from ppcls.untrusted.refusals import shown
from ppcls.untrusted.weight_content import NAME_TABLE
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
# The number of models that torch's AveragedModel averages; the only name without its prefix
_AVERAGED = "n_averaged"
# If this share of the names has a prefix, the others belong to a loss or to metrics
_NETWORK = 0.75


def unwrap(path: Path, content: Any, use_ema: bool = True) -> dict[Any, Any]:
    """Finds the dictionary that holds the arrays: the whole, or one that a training script saved with other things.

    Args:
        path: The file, for messages.
        content: What it holds.
        use_ema: Which one to take if the file holds both weights and their moving average.

    Raises:
        UserError: there are no arrays by name, or only a moving average, which `use_ema` does not allow.
    """
    if not isinstance(content, dict):
        remedy = "give a file of weights"
        if isinstance(content, Inert):
            remedy = "save its state_dict()"
        raise UserError(
            f"{path}: its content is {_kind(content)}, not weights by name; {remedy}"
        )
    finder = _Finder()
    # Before the whole, because an array such as the best accuracy may be beside them.
    raw = finder.first_of(content, _RAW)
    average = finder.first_of(content, _EMA)
    if raw or average:
        return dict(finder.arrays_in(content[_choose(path, raw, average, use_ema)]))
    if finder.holds_arrays(content):
        return dict(content)
    return dict(_only_part(path, content, finder))


def _choose(path: Path, raw: str, average: str, use_ema: bool) -> str:
    """The entry to load, of weights and their moving average; logs which if there are both.

    Raises:
        UserError: there is only a moving average, which `use_ema` does not allow.
    """
    if not average:
        return raw
    if not raw:
        if not use_ema:
            raise UserError(
                f"{path}: holds no weights but only their moving average ({average}); "
                "leave out Arch.use_ema, or --no-ema"
            )
        return average
    taken, other, option = raw, average, "Arch.use_ema=true"
    if use_ema:
        taken, other = average, raw
        option = "Arch.use_ema=false (ppcls convert --no-ema)"
    get_logger().info(
        "%s: holds weights (%s) and their moving average (%s); %s is loaded, %s loads %s",
        path, raw, average, taken, option, other,
    )  # fmt: skip
    return taken


class _Finder:
    """Finds dictionaries of arrays. It looks into each one once, even if a file has it under many names."""

    def __init__(self) -> None:
        self.known: dict[int, bool] = {}

    def holds_arrays(self, value: Any) -> bool:
        """Whether a value is a dictionary with an array in it."""
        if not isinstance(value, dict):
            return False
        if id(value) not in self.known:
            self.known[id(value)] = _has_array(value)
        return self.known[id(value)]

    def arrays_in(self, value: Any) -> dict[Any, Any]:
        """The dictionary of arrays that an entry is, or has among an object's settings; empty if there is none."""
        if self.holds_arrays(value):
            return value
        if isinstance(value, dict):
            for name in _INNER:
                if self.holds_arrays(value.get(name)):
                    return value[name]
        return {}

    def first_of(self, content: Mapping[Any, Any], names: tuple[str, ...]) -> str:
        """The first of some entries that has arrays; empty if none does."""
        for name in names:
            if self.arrays_in(content.get(name)):
                return name
        return ""


def _has_array(content: Mapping[Any, Any]) -> bool:
    return any(_array_of(value) is not None for value in content.values())


def _only_part(path: Path, content: dict[Any, Any], finder: _Finder) -> dict[Any, Any]:
    """The one entry that holds arrays, whatever its name.

    Raises:
        UserError: there is none, or more than one.
    """
    parts = [name for name, value in content.items() if finder.arrays_in(value)]
    if not parts:
        _refuse_without_arrays(path, content)
    if len(parts) > 1:
        raise UserError(
            f"{path}: holds {len(parts)} sets of arrays ({_first_names(parts)}); save the one that you want by itself"
        )
    get_logger().info(
        "%s: the arrays of its entry %s are loaded", path, shown(parts[0])
    )
    return finder.arrays_in(content[parts[0]])


def _refuse_without_arrays(path: Path, content: Mapping[Any, Any]) -> NoReturn:
    if content.keys() >= _OPTIMIZER:
        raise UserError(
            f"{path}: holds the state of an optimizer and no weights; give the file of the model's weights"
        )
    for name in _RAW:
        if isinstance(content.get(name), Inert):
            raise UserError(
                f"{path}: its {name} is {_kind(content[name])}, not weights; save its state_dict()"
            )
    names = _first_names(list(content)) or "nothing"
    raise UserError(f"{path}: holds no arrays but {names}; give a file of weights")


def _first_names(names: Sequence[Any]) -> str:
    """Five names at most, for messages."""
    return ", ".join(map(shown, names[:5]))


def only_arrays(path: Path, state: Mapping[Any, Any]) -> dict[str, np.ndarray]:
    """Arrays by name, in this machine's byte order.

    Raises:
        UserError: something else is among them.
    """
    arrays: dict[str, np.ndarray] = {}
    for key, value in state.items():
        if not isinstance(key, str):
            raise UserError(
                f"{path}: a tensor's name is of type {type(key).__name__}, not text; give a state dict"
            )
        if key == NAME_TABLE:
            continue
        array = _array_of(value)
        if array is None:
            raise UserError(
                f"{path}: {shown(key)} is {_kind(value)}, not an array; give a state dict"
            )
        arrays[key] = native(array)
    return arrays


def without_prefix(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays by the names that the network itself gives them; logs what is left out.

    That is a prefix of all names (`module.`, `model.`, `module._orig_mod.`, ...), the arrays of a loss and of metrics
    beside a network that has such a prefix, and what torch's wrappers put into names.
    """
    whole, which = "", "every name"
    prefix = _network_prefix(arrays)
    while prefix is not None:
        taken, others = _split_by_prefix(arrays, prefix)
        if others:  # of a loss, of metrics, or a head apart from its backbone
            get_logger().warning(
                "%s: %d names begin with %s and are taken; the other %d (first %s) are left out",
                path, len(taken), whole + prefix, len(others), shown(whole + others[0]),
            )  # fmt: skip
            which = "every other name"
        whole += prefix
        arrays = taken
        prefix = _network_prefix(arrays)
    if whole:
        get_logger().info(
            "%s: %s begins with %s, which is left out", path, which, whole
        )
    return _without_wrappers(path, arrays)


def _split_by_prefix(
    arrays: Mapping[str, np.ndarray], prefix: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays whose names have a prefix, by the rest of their names, and the other names."""
    taken, others = {}, []
    for name, array in arrays.items():
        if name.startswith(prefix):
            taken[name[len(prefix) :]] = array
        elif name != _AVERAGED:
            others.append(name)
    return taken, others


def _network_prefix(arrays: Mapping[str, Any]) -> str | None:
    """The prefix that all names have, or nearly all."""
    names = set(arrays) - {_AVERAGED}
    for prefix in _PREFIXES:
        count = _count_with(prefix, names)
        if count and count >= _NETWORK * len(names):
            return prefix
    return None


def _count_with(prefix: str, names: Collection[str]) -> int:
    """How many names have a prefix and something behind it."""
    return sum(name.startswith(prefix) and name != prefix for name in names)


def _without_wrappers(
    path: Path, arrays: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Arrays without the names of wrappers around parts of the network, unless two names would become one."""
    names = {name: _WITHIN.sub("", name) for name in arrays}
    changed = [name for name, short in names.items() if name != short]
    if not changed or len(set(names.values())) < len(names):
        return arrays
    get_logger().info(
        "%s: wrappers in %d names (first %s) are left out",
        path,
        len(changed),
        shown(changed[0]),
    )
    return {names[name]: array for name, array in arrays.items()}


def _kind(value: Any) -> str:
    """What a value is, for messages."""
    if isinstance(value, Inert):
        return f"a {value.name}"
    return f"of type {type(value).__name__}"


def _array_of(value: Any) -> np.ndarray | None:
    """A value's array; `paddle.save` writes a tensor inside other containers as (name, array)."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        value = value[1]
    return value if isinstance(value, np.ndarray) else None
