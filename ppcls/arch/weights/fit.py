"""Whether weights are a model's, and the two changes that make them so: another classifier, another first layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ppcls.arch.catalog import BACKBONES
from ppcls.arch.weights.layouts import convert_state_dict
from ppcls.untrusted.refusals import shown
from ppcls.utils.errors import UserError
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.logging import get_logger

if TYPE_CHECKING:
    from ppcls.arch.catalog import BackboneParams
    from ppcls.arch.layers import Backbone

_AGAIN = "copy or download the file again, or take an earlier checkpoint"
_VARIANCES = ("._variance", ".running_var")  # of Paddle and of torch
# Modules beside one another in a file of prefixed names; a network of its own has more, or known ones
_FEW = 4
# No model has as many, so none is made to compare them
_MOST_NAMES = 3_000


def fit_classifier(model: Backbone, state: dict[str, Any], new_classifier: bool) -> str:
    """Keeps the model's own classifier if it may and the file has none, or one of other classes.

    Returns:
        What the file has in its place, for `warn_of_new_classifier`; empty where the file's classifier stays.
    """
    if model.fc is None or not new_classifier:
        return ""
    own = {f"fc.{key}": value for key, value in model.fc.state_dict().items()}
    theirs = state.get("fc.bias")
    if theirs is None and any(key in state for key in own):
        return ""  # a damaged classifier is refused by `check`, not replaced
    if theirs is not None and theirs.shape == tuple(own["fc.bias"].shape):
        return ""
    state.update({key: value.numpy() for key, value in own.items()})
    return (
        "no classifier" if theirs is None else f"a classifier of {theirs.size} classes"
    )


def warn_of_new_classifier(model: Backbone, path: Path, had: str) -> None:
    """Logs that the model starts with a new classifier."""
    get_logger().warning(
        "%s: has %s and the model one of %d classes, so the model starts with a new one",
        path, had, model.params.class_num,
    )  # fmt: skip


def fit_stem(model: Backbone, path: Path, state: dict[str, Any]) -> None:
    """Gives weights for colour pictures the model's number of channels.

    One channel takes the sum, which is exact for gray pictures written three times. More take the three in turn,
    scaled so that the sum of what they see stays.
    """
    key = f"{model.stem_layer}.weight"
    weight, channels = state.get(key), model.params.in_channels
    if weight is None or weight.ndim != 4 or weight.shape[1] != 3 or channels == 3:
        return
    if channels == 1:
        with np.errstate(over="ignore"):  # what becomes infinite, `check` refuses
            state[key] = weight.sum(axis=1, keepdims=True)
    else:
        state[key] = weight[:, np.arange(channels) % 3] * weight.dtype.type(
            3 / channels
        )
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
    """Refuses weights that are not the model's.

    Args:
        model: The model.
        path: The file that they are from.
        given: What the file holds.
        state: The same in our layout, fitted to the model.
        unexpected: Names in the file that mean nothing.

    Raises:
        UserError: names, shapes or types differ; the sentence names the model that the file is likely of.
    """
    name, targets = model.params.name, model.state_dict()
    missing = [key for key in targets if key not in state]
    if missing and lacks_classifier(missing) and not unexpected:
        raise UserError(
            f"{path}: has no classifier; train one, or build the model with class_num=0 for pooled features"
        )
    if missing or unexpected:
        faults = [*_first("missing", missing), *_first("unexpected", unexpected)]
        remedy = prefixed(unexpected) if len(unexpected) == len(given) else ""
        raise UserError(
            f"{path}: not the weights of {name}: {', '.join(faults)}; {remedy or _likely(given, name)}"
        )
    for key, target in targets.items():
        value = state[key]
        if value.dtype.kind != "f":
            raise UserError(
                f"{path}: {key} is of type {value.dtype} and not an array of floating-point numbers"
            )
        if list(value.shape) != list(target.shape):
            shapes = f"has the shape {list(value.shape)} and {name}'s is {list(target.shape)}"
            raise UserError(
                f"{path}: {key} {shapes}; {_remedy(model, key, value, given)}"
            )
        beyond = value.size - int(np.isfinite(value).sum())
        if beyond:
            raise UserError(
                f"{path}: {beyond:,} of {value.size:,} values of {key} are too large for float32; {_AGAIN}"
            )


def check_variances(path: Path, given: Mapping[str, np.ndarray]) -> None:
    """Refuses variances below zero, as the file has them: a shift of the epsilon could hide them.

    Raises:
        UserError: there is one.
    """
    for key, value in given.items():
        if key.endswith(_VARIANCES) and value.size and value.min() < 0:
            raise UserError(
                f"{path}: {key} holds a variance of {value.min():g}, which is below zero; {_AGAIN}"
            )


def lacks_classifier(missing: Sequence[str]) -> bool:
    """Whether the classifier, whole, is all that is missing."""
    return sorted(missing) in ([], ["fc.bias", "fc.weight"])


def _first(what: str, keys: Sequence[str]) -> Sequence[str]:
    return [f"{len(keys)} {what} (first {shown(keys[0])})"] if keys else []


def _remedy(
    model: Backbone, key: str, value: np.ndarray, given: Mapping[str, np.ndarray]
) -> str:
    theirs, ours = list(value.shape), list(model.state_dict()[key].shape)
    if key.startswith("fc.") and theirs[1:] == ours[1:]:
        number = f"class_num={theirs[0]}"
        return f"write Arch.{number} (in Python: {number}, and reset_classifier after loading)"
    if (
        key == f"{model.stem_layer}.weight"
        and len(theirs) == 4
        and theirs[:1] + theirs[2:] == ours[:1] + ours[2:]
    ):
        return f"write Arch.in_channels={theirs[1]}"
    return _likely(given, model.params.name)


def prefixed(names: Sequence[str]) -> str:
    """The end of the sentence about names of which none is known but that lie in few modules; empty if they do not."""
    modules = Counter(name.partition(".")[0] for name in names)
    if len(modules) > _FEW or sum(modules.values()) == len(modules):
        return ""
    found = " and ".join(
        f"{shown(module)} ({count})" for module, count in modules.items()
    )
    return f"its names begin with {found}; save the arrays of one network, by names without what stands before them"


def _likely(given: Mapping[str, np.ndarray], name: str) -> str:
    """The end of the sentence about weights that do not fit: whose they are, if a model is known that they do fit."""
    candidate = likely_model(given)
    return (
        f"these look like {candidate} weights"
        if candidate not in (None, name)
        else f"give weights of {name}"
    )


def likely_model(given: Mapping[str, np.ndarray]) -> str | None:
    """The first model whose names and shapes a dictionary has, with whatever classes, if any, and input channels."""
    if len(given) > _MOST_NAMES:
        return None
    return next(
        (name for name in BACKBONES if _fits(outline(BACKBONES[name](name)), given)),
        None,
    )


def outline(params: BackboneParams) -> Backbone:
    """A model with names and shapes but no values, which takes no time to make."""
    with load_paddle().LazyGuard():
        return params.make()


def _fits(model: Backbone, given: Mapping[str, np.ndarray]) -> bool:
    conversion = convert_state_dict(model, given)
    shapes = {key: list(value.shape) for key, value in conversion.state.items()}
    free = ("fc.", f"{model.stem_layer}.")
    return (
        not conversion.unexpected
        and lacks_classifier(conversion.missing)
        and all(
            key.startswith(free) or shapes[key] == list(value.shape)
            for key, value in model.state_dict().items()
        )
    )
