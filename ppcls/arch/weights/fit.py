"""Checks that weights fit a model, and the two changes that make them fit: a new classifier, an adapted stem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ppcls.arch.catalog import BACKBONES
from ppcls.arch.weights.layouts import convert_state_dict
from ppcls.untrusted.refusals import shown
from ppcls.utils.errors import UserError, expect
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.logging import get_logger

if TYPE_CHECKING:
    from ppcls.arch.catalog import BackboneParams
    from ppcls.arch.layers import Backbone

_AGAIN = "copy or download the file again, or take an earlier checkpoint"
_VARIANCES = ("._variance", ".running_var")  # of Paddle and of torch
# Names with an unknown prefix begin with at most this many different words; those of a network begin with more
_FEW = 4
# No model has as many, so none is made to compare them
_MOST_NAMES = 3_000


def fit_classifier(model: Backbone, state: dict[str, Any], new_classifier: bool) -> str:
    """Keep the model's own classifier where that is allowed and the file has none, or one of other classes.

    Returns:
        What the file has in its place, for `warn_of_new_classifier`; empty where the file's classifier stays.
    """
    if model.fc is None or not new_classifier:
        return ""
    theirs = state.get("fc.bias")
    if theirs is not None:
        had = f"a classifier of {theirs.size} classes"
        stays = theirs.shape == tuple(model.fc.bias.shape)
    else:
        had = "no classifier"
        stays = "fc.weight" in state  # `check` refuses a damaged classifier
    if stays:
        return ""
    state["fc.weight"] = model.fc.weight.numpy()
    state["fc.bias"] = model.fc.bias.numpy()
    return had


def warn_of_new_classifier(model: Backbone, path: Path, had: str) -> None:
    """Log that the model starts with a new classifier."""
    get_logger().warning(
        "%s: has %s and the model one of %d classes, so the model starts with a new one",
        path,
        had,
        model.params.class_num,
    )


def fit_stem(model: Backbone, path: Path, state: dict[str, Any]) -> None:
    """Give the first convolution of weights for colour pictures the model's number of channels.

    One channel gets the sum, which is exact for gray pictures written three times. More channels get the three in
    turn, scaled so that the sum over the channels stays.
    """
    key = f"{model.stem_layer}.weight"
    weight, channels = state.get(key), model.params.in_channels
    if weight is None or weight.ndim != 4 or weight.shape[1] != 3 or channels == 3:
        return
    if channels == 1:
        with np.errstate(over="ignore"):  # `check` refuses infinities
            state[key] = weight.sum(axis=1, keepdims=True)
    else:
        in_turn = weight[:, np.arange(channels) % 3]
        state[key] = in_turn * weight.dtype.type(3 / channels)
    get_logger().info(
        "%s: its first convolution reads 3 channels and was adapted to %d",
        path,
        channels,
    )


def check(
    model: Backbone,
    path: Path,
    given: Mapping[str, np.ndarray],
    state: Mapping[str, np.ndarray],
    unexpected: Sequence[str],
) -> None:
    """Refuse weights that do not fit the model.

    Args:
        model: The model.
        path: The file that they are from.
        given: What the file holds.
        state: The same in our layout, fitted to the model.
        unexpected: Names in the file that its layout does not know.

    Raises:
        UserError: names, shapes or types differ; the sentence names the model that the file is likely of.
    """
    _check_names(model, path, given, state, unexpected)
    for key, target in model.state_dict().items():
        value = state[key]
        expect(
            value.dtype.kind == "f",
            f"{path}: {key} is of type {value.dtype} and not an array of floating-point numbers",
        )
        if list(value.shape) != list(target.shape):
            shapes = f"has the shape {list(value.shape)} and {model.params.name}'s is {list(target.shape)}"
            remedy = _remedy(model, key, value, given)
            raise UserError(f"{path}: {key} {shapes}; {remedy}")
        beyond = value.size - int(np.isfinite(value).sum())
        if beyond:
            raise UserError(
                f"{path}: {beyond:,} of {value.size:,} values of {key} are too large for float32; {_AGAIN}"
            )


def _check_names(
    model: Backbone,
    path: Path,
    given: Mapping[str, np.ndarray],
    state: Mapping[str, np.ndarray],
    unexpected: Sequence[str],
) -> None:
    name = model.params.name
    missing = [key for key in model.state_dict() if key not in state]
    if missing and lacks_classifier(missing) and not unexpected:
        raise UserError(
            f"{path}: has no classifier; train one, or build the model with class_num=0 for pooled features"
        )
    if not missing and not unexpected:
        return
    faults = [*_first("missing", missing), *_first("unexpected", unexpected)]
    remedy = ""
    if len(unexpected) == len(given):  # no name is known
        remedy = prefixed(unexpected)
    raise UserError(
        f"{path}: not the weights of {name}: {', '.join(faults)}; {remedy or _likely(given, name)}"
    )


def check_variances(path: Path, given: Mapping[str, np.ndarray]) -> None:
    """Refuse variances below zero, as the file has them: a shift of the epsilon could hide them.

    Raises:
        UserError: there is one.
    """
    for key, value in given.items():
        if key.endswith(_VARIANCES) and value.size and value.min() < 0:
            raise UserError(
                f"{path}: {key} holds a variance of {value.min():g}, which is below zero; {_AGAIN}"
            )


def lacks_classifier(missing: Sequence[str]) -> bool:
    """Whether nothing but the whole classifier is missing."""
    return sorted(missing) in ([], ["fc.bias", "fc.weight"])


def _first(what: str, keys: Sequence[str]) -> Sequence[str]:
    if not keys:
        return []
    return [f"{len(keys)} {what} (first {shown(keys[0])})"]


def _remedy(
    model: Backbone, key: str, value: np.ndarray, given: Mapping[str, np.ndarray]
) -> str:
    """The end of the sentence about a tensor of another shape."""
    theirs, ours = list(value.shape), list(model.state_dict()[key].shape)
    if key.startswith("fc.") and theirs[1:] == ours[1:]:
        number = f"class_num={theirs[0]}"
        return f"write Arch.{number} (in Python: {number}, and reset_classifier after loading)"
    if key == f"{model.stem_layer}.weight" and len(theirs) == 4:
        out, channels, *kernel = theirs
        if [out, *kernel] == [ours[0], *ours[2:]]:
            return f"write Arch.in_channels={channels}"
    return _likely(given, model.params.name)


def prefixed(names: Sequence[str]) -> str:
    """The end of the sentence about unknown names that share a few prefixes; empty if they do not."""
    modules = Counter(name.partition(".")[0] for name in names)
    if len(modules) > _FEW or len(names) == len(modules):
        return ""
    found = []
    for module, count in modules.items():
        found.append(f"{shown(module)} ({count})")
    return (
        f"its names begin with {' and '.join(found)}; save the arrays of one network, by names without what stands "
        "before them"
    )


def _likely(given: Mapping[str, np.ndarray], name: str) -> str:
    """The end of the sentence about weights that do not fit: the model that they fit, if there is one."""
    candidate = likely_model(given)
    if candidate in (None, name):
        return f"give weights of {name}"
    return f"these look like {candidate} weights"


def likely_model(given: Mapping[str, np.ndarray]) -> str | None:
    """The first model whose names and shapes a dictionary has; the classifier and the input's channels may differ."""
    if len(given) > _MOST_NAMES:
        return None
    for name in BACKBONES:
        if _fits(outline(BACKBONES[name](name)), given):
            return name
    return None


def outline(params: BackboneParams) -> Backbone:
    """A model with names and shapes but no values, which takes no time to make."""
    with load_paddle().LazyGuard():
        # What is frozen shows in a pass alone, which needs values
        return replace(params, freeze=0).make()


def _fits(model: Backbone, given: Mapping[str, np.ndarray]) -> bool:
    conversion = convert_state_dict(model, given)
    if conversion.unexpected or not lacks_classifier(conversion.missing):
        return False
    free = ("fc.", f"{model.stem_layer}.")
    for key, value in model.state_dict().items():
        if key.startswith(free):
            continue
        if list(conversion.state[key].shape) != list(value.shape):
            return False
    return True
