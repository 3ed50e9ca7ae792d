"""The states file of a checkpoint, `ppcls.pdstates`: JSON whose values are checked before anything uses them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NoReturn

from ppcls.data.picture_files import read_file
from ppcls.untrusted.weights_paths import WEIGHTS_STEM, WEIGHTS_SUFFIXES

SCHEMA = 1
PARAMS, OPTIMIZER, STATES = (WEIGHTS_STEM + suffix for suffix in WEIGHTS_SUFFIXES)
OTHER = f"{WEIGHTS_STEM}_other.pdparams"
WEIGHTS = (PARAMS, OPTIMIZER, OTHER)
# A million class names take 30 MB
_LARGEST = 64 << 20
# Whole numbers up to this one are exact in float64 as well
_MOST = 2**53
_DIGITS = 20
_SHOWN = 60
_LONGEST = 200


class DamagedStates(ValueError):
    """The states file cannot be used; the message names the file and what is wrong."""


def read_states(file: Path) -> dict[str, Any]:
    """Read the states of a checkpoint, every value of the type and range that training writes.

    Raises:
        OSError: the file is not there or cannot be read.
        DamagedStates: it is not the states file of a checkpoint.
    """
    return parse_states(file, read_file(str(file), _LARGEST + 1))


def parse_states(file: Path, content: bytes) -> dict[str, Any]:
    """Read the states from the content of a file; see `read_states`."""
    if len(content) > _LARGEST:
        raise DamagedStates(f"{file}: larger than {_LARGEST >> 20} MB")
    try:
        states = json.loads(
            content.decode(), parse_constant=_refuse_constant, parse_int=_whole_number
        )
    except (ValueError, RecursionError) as error:
        raise DamagedStates(f"{file}: not JSON ({str(error)[:_SHOWN]})") from error
    if not isinstance(states, dict) or states.get("schema") != SCHEMA:
        raise DamagedStates(f"{file}: not a checkpoint of schema {SCHEMA}")
    _check_values(file, states)
    require_keys(file, states, ["files"])
    if states.get("step", 0) > states.get("steps_per_epoch", _MOST):
        raise DamagedStates(
            f"{file}: step is {states['step']}, but an epoch has {states['steps_per_epoch']} steps"
        )
    return states


def _check_values(file: Path, states: dict[str, Any]) -> None:
    """Check that every known key has a value of its type and range."""
    for key, (is_right, expected) in _KEYS.items():
        if key in states and not is_right(states[key]):
            raise DamagedStates(
                f"{file}: {key} is {shown(states[key])}, not {expected}"
            )


def require_keys(file: Path, states: dict[str, Any], keys: Collection[str]) -> None:
    """Check that states have some keys.

    Raises:
        DamagedStates: a key is missing.
    """
    for key in keys:
        if key not in states:
            raise DamagedStates(f"{file}: {key} is missing")


def shown(value: Any, length: int = _SHOWN) -> str:
    """Format a file's value for a message, in one short line."""
    if isinstance(value, dict):
        return "a dictionary"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value)
    return text if len(text) <= length else f"{text[:length]}..."


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _whole_number(text: str) -> int:
    # Python takes quadratic time for many digits
    if len(text) > _DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MOST


def _is_positive(value: Any) -> bool:
    return _is_count(value) and value > 0


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a finite number."""
    if type(value) is int:
        return abs(value) <= _MOST
    return isinstance(value, float) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    """Whether it is text that a message can show."""
    return isinstance(value, str) and len(value) <= _LONGEST and value.isprintable()


def _is_name(value: Any) -> bool:
    return isinstance(value, str)


def _is_optional_count(value: Any) -> bool:
    return value is None or _is_count(value)


def _are_files(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() <= set(WEIGHTS)
        and all(map(_is_text, value.values()))
    )


def _are_texts_by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, [*value, *value.values()]))


def _are_class_names(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(map(_is_name, value)))


def _is_best(value: Any) -> bool:
    """Whether it is the values of an evaluation, or empty where there was none."""
    if not isinstance(value, dict):
        return False
    if not value:
        return True
    numbers = [number for name, number in value.items() if name != "metric"]
    metric = value.get("metric")
    return (
        _is_text(metric)
        and metric != "metric"
        and is_number(value.get(metric))
        and is_number(value.get("score"))
        and _is_count(value.get("epoch"))
        and all(map(is_number, numbers))
    )


def _are_averages(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"sums", "count"}
        and isinstance(value["sums"], dict)
        and all(map(is_number, value["sums"].values()))
        and _is_count(value["count"])
    )


def _are_metrics(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _is_precision(value: Any) -> bool:
    if value is None:
        return True
    return (
        isinstance(value, dict)
        and _is_text(value.get("level"))
        and _is_text(value.get("dtype"))
        and isinstance(value.get("scaler"), dict)
    )


def _is_recipe(value: Any) -> bool:
    """Whether it is a result of `recipe_of`; resuming multiplies sizes of batches, so they are checked."""
    if value is None:
        return True
    if not isinstance(value, dict) or not all(map(_is_text, value)):
        return False
    sizes = [value[key] for key in _SIZES if key in value]
    return all(map(_is_positive, sizes))


_SIZES = ("pictures a step", "Global.update_freq")
_COUNT = "a whole number of at least 0"
_POSITIVE = "a whole number above 0"
_KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "files": (_are_files, "digests of the checkpoint's files"),
    "deployed": (
        lambda value: value in ("weights", "average"),
        "weights or average",
    ),
    "arch": (_is_text, "short text"),
    "seed": (_is_count, _COUNT),
    "epoch": (_is_count, _COUNT),
    "step": (_is_count, _COUNT),
    "steps_per_epoch": (_is_positive, _POSITIVE),
    "epochs": (_is_count, _COUNT),
    "threads": (_is_positive, _POSITIVE),
    "kernels": (_are_texts_by_name, "names of what chooses kernels"),
    "processes": (_is_positive, _POSITIVE),
    "update_freq": (_is_positive, _POSITIVE),
    "average_steps": (_is_optional_count, "null or a whole number of at least 0"),
    "best": (_is_best, "the values of an evaluation"),
    "averages": (_are_averages, "sums of losses and a number of pictures"),
    "metrics": (_are_metrics, "a list of the metrics' values"),
    "precision": (_is_precision, "null or the state of mixed precision"),
    "recipe": (_is_recipe, "the settings of a training"),
    "class_names": (_are_class_names, "null or a list of names"),
    "order": (_is_text, "short text"),
    "frozen": (_are_texts_by_name, "digests by the names of models"),
    "config_sha256": (_is_text, "short text"),
    "user_code": (_are_texts_by_name, "digests by the names of files"),
    "versions": (_are_texts_by_name, "versions by name"),
}
