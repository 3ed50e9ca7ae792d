"""Where weights come from and how foreign ones become ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Sequence

import numpy as np

from ppcls.arch.weights.layouts import convert_state_dict
from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike, find_weights
from ppcls.utils.logging import get_logger
from ppcls.utils.unpickle import load_pickle

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone

__all__ = ["convert_state_dict", "load_weights"]


def load_weights(model: Backbone, path: PathLike, new_classifier: bool = False) -> None:
    """Fills a model from a file in our layout or PaddleClas's: every tensor from every entry, or none at all.

    Args:
        model: The model.
        path: A `.pdparams` file, the same without suffix, or a checkpoint's folder.
        new_classifier: Whether the model keeps its own classifier where the file's has another number of classes.

    Raises:
        UserError: there is no such file, it is no dictionary of arrays, or names or shapes differ.
    """
    stem = find_weights(path)
    file = stem.with_name(stem.name + ".pdparams")
    content = load_pickle(file)
    if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
        raise UserError(f"{file}: holds no weights by name but a {type(content).__name__}; give a file of weights")
    state = convert_state_dict(model.params.name, content)
    if new_classifier:
        _keep_own_classifier(file, model, state)
    _check(file, model, state)
    model.set_state_dict(state)


def _keep_own_classifier(file: Path, model: Backbone, state: Dict[str, Any]) -> None:
    own = {key: value for key, value in model.state_dict().items() if key.startswith("fc.")}
    theirs = state.get("fc.bias")
    if not own or not isinstance(theirs, np.ndarray) or theirs.shape == tuple(own["fc.bias"].shape):
        return
    state.update({key: value.numpy() for key, value in own.items()})
    get_logger().info(
        "%s: its classifier has %d classes and the model %d, so the model starts with a new one",
        file, len(theirs), model.params.class_num,
    )  # fmt: skip


def _check(file: Path, model: Backbone, state: Dict[str, Any]) -> None:
    name, targets = model.params.name, model.state_dict()
    missing = [key for key in targets if key not in state]
    unexpected = [key for key in state if key not in targets]
    if missing or unexpected:
        faults = [*_first("missing", missing), *_first("unexpected", unexpected)]
        raise UserError(f"{file}: not the weights of {name}: {', '.join(faults)}; give weights of {name}")
    for key, target in targets.items():
        value = state[key]
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
            found = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
            raise UserError(f"{file}: {key} is of type {found} and not an array of floating-point numbers")
        if list(value.shape) != list(target.shape):
            shapes = f"has the shape {list(value.shape)} and {name}'s is {list(target.shape)}"
            raise UserError(f"{file}: {key} {shapes}; {_remedy(key)}")
        state[key] = value.astype(np.float32)


def _first(what: str, keys: Sequence[str]) -> Sequence[str]:
    return [f"{len(keys)} {what} (first {keys[0]})"] if keys else []


def _remedy(key: str) -> str:
    if key.startswith("fc."):
        return "write the weights' number of classes as Arch.class_num (in Python: reset_classifier after loading)"
    return "make the model with the arguments that the weights were trained with"
