"""The states file of a checkpoint, `ppcls.pdstates`: JSON whose values are checked before anything uses them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, cast

from ppcls.data.picture_files import read_file
from ppcls.untrusted.json_text import parse_json
from ppcls.untrusted.refusals import Damaged
from ppcls.untrusted.weights_paths import WEIGHTS_STEM, WEIGHTS_SUFFIXES
from ppcls.utils.errors import translated

SCHEMA = 1
Test = Callable[[Any], bool]
PARAMS, OPTIMIZER, STATES = (WEIGHTS_STEM + suffix for suffix in WEIGHTS_SUFFIXES)
OTHER = f"{WEIGHTS_STEM}_other.pdparams"
WEIGHTS = (PARAMS, OPTIMIZER, OTHER)
# A million class names take 30 MB
_LARGEST = 64 << 20
# Whole numbers up to this one are exact in float64 as well
_MOST = 2**53
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
    _expect(len(content) <= _LARGEST, f"{file}: larger than {_LARGEST >> 20} MB")
    with translated(
        Damaged, lambda error: DamagedStates(f"{file}: {str(error)[:_SHOWN]}")
    ):
        states = parse_json(content)
    _expect(
        isinstance(states, dict) and states.get("schema") == SCHEMA,
        f"{file}: not a checkpoint of schema {SCHEMA}",
    )
    _check_values(file, states)
    require_keys(file, states, ["files"])
    step = states.get("step", 0)
    steps = states.get("steps_per_epoch", _MOST)
    _expect(step <= steps, f"{file}: step is {step}, but an epoch has {steps} steps")
    return cast(dict[str, Any], states)


def _expect(condition: bool, text: str) -> None:
    if not condition:
        raise DamagedStates(text)


def _check_values(file: Path, states: dict[str, Any]) -> None:
    """Check that every known key has a value of its type and range."""
    for key, (is_right, expected) in _KEYS.items():
        if key in states:
            value = states[key]
            text = f"{file}: {key} is {shown(value)}, not {expected}"
            _expect(is_right(value), text)


def require_keys(file: Path, states: dict[str, Any], keys: Collection[str]) -> None:
    """Check that states have some keys.

    Raises:
        DamagedStates: a key is missing.
    """
    for key in keys:
        _expect(key in states, f"{file}: {key} is missing")


def shown(value: Any, length: int = _SHOWN) -> str:
    """Format a file's value for a message, in one short line."""
    if isinstance(value, dict):
        return "a dictionary"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value)
    if len(text) <= length:
        return text
    return f"{text[:length]}..."


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


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _optional(test: Test) -> Test:
    """A test that null passes as well."""
    return lambda value: value is None or test(value)


def _list_of(test: Test) -> Test:
    """A test for lists all of whose items pass another test."""
    return lambda value: isinstance(value, list) and all(map(test, value))


def _by_name(test: Test) -> Test:
    """A test for mappings whose names are short texts and whose values pass another test."""

    def test_mapping(value: Any) -> bool:
        are_texts = isinstance(value, dict) and all(map(_is_text, value))
        return are_texts and all(map(test, value.values()))

    return test_mapping


def _with_keys(**tests: Test) -> Test:
    """A test for mappings that have these keys, whose values pass the tests."""

    def test_mapping(value: Any) -> bool:
        if not isinstance(value, dict) or not tests.keys() <= value.keys():
            return False
        return all(test(value[key]) for key, test in tests.items())

    return test_mapping


def _are_files(value: Any) -> bool:
    return _by_name(_is_text)(value) and value.keys() <= set(WEIGHTS)


def _are_averages(value: Any) -> bool:
    return _AVERAGES(value) and len(value) == 2


def _is_best(value: Any) -> bool:
    """Whether it is the values of an evaluation, or empty where there was none."""
    if value == {}:
        return True
    if not _BEST(value) or value["metric"] not in value.keys() - {"metric"}:
        return False
    return all(is_number(value[name]) for name in value if name != "metric")


def _is_recipe(value: Any) -> bool:
    """Whether it is a result of `recipe_of`; resuming multiplies sizes of batches, so they are checked."""
    if not isinstance(value, dict) or not all(map(_is_text, value)):
        return False
    return all(_is_positive(value.get(key, 1)) for key in _SIZES)


_AVERAGES = _with_keys(sums=_by_name(is_number), count=_is_count)
_BEST = _with_keys(metric=_is_text, score=is_number, epoch=_is_count)
_PRECISION = _with_keys(level=_is_text, dtype=_is_text, scaler=_is_mapping)
_SIZES = ("pictures a step", "Global.update_freq")
_COUNT = "a whole number of at least 0"
_POSITIVE = "a whole number above 0"
_KEYS: dict[str, tuple[Test, str]] = {
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
    "kernels": (_by_name(_is_text), "names of what chooses kernels"),
    "processes": (_is_positive, _POSITIVE),
    "update_freq": (_is_positive, _POSITIVE),
    "average_steps": (_optional(_is_count), "null or a whole number of at least 0"),
    "best": (_is_best, "the values of an evaluation"),
    "averages": (_are_averages, "sums of losses and a number of pictures"),
    "metrics": (_list_of(_is_mapping), "a list of the metrics' values"),
    "precision": (_optional(_PRECISION), "null or the state of mixed precision"),
    "recipe": (_optional(_is_recipe), "the settings of a training"),
    "class_names": (_optional(_list_of(_is_name)), "null or a list of names"),
    "order": (_is_text, "short text"),
    "frozen": (_by_name(_is_text), "digests by the names of models"),
    "config_sha256": (_is_text, "short text"),
    "user_code": (_by_name(_is_text), "digests by the names of files"),
    "versions": (_by_name(_is_text), "versions by name"),
}
