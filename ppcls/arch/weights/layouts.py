"""Foreign dictionaries to ours and back, with an account of every key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ppcls.arch.weights.names import OURS, Layout, layouts_of
from ppcls.untrusted.record import NAME_TABLE, RECORD
from ppcls.utils.errors import UserError

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone

_TORCH_LEAVES = {"_mean": "running_mean", "_variance": "running_var"}
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class KeyUse:
    """What became of one key of a dictionary.

    Attributes:
        source: Their name.
        target: Our name; None if it was dropped.
        note: The reason it was dropped, or what was done to its values; empty if they are as they were.
    """

    source: str
    target: str | None
    note: str = ""


@dataclass(frozen=True)
class Conversion:
    """A dictionary in our layout.

    Attributes:
        layout: What the given one was.
        state: Values by our names; those that nobody knows under the names they had, unless they had one of ours.
        uses: Every given key that means something, in order.
        missing: Names of ours that nothing fills.
        unexpected: Given names that mean nothing.
    """

    layout: Layout
    state: dict[str, Any]
    uses: tuple[KeyUse, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    def account(self) -> str:
        """A line for every key: its name, its new name, and what happened to it."""
        lines = [
            f"{use.source} -> {use.target or 'dropped'}{f' ({use.note})' if use.note else ''}"
            for use in self.uses
        ]
        return "\n".join(lines) + "\n"


def known_layouts(model_name: str) -> tuple[Layout, ...]:
    """The layouts that a model's weights come in; ours first."""
    return (OURS, *layouts_of(model_name))


def recognise(model: Backbone, keys: Sequence[str]) -> Layout:
    """The layout that knows most of the keys; ours if none knows any."""
    targets = list(model.state_dict())
    modules = _modules(targets)

    def known(layout: Layout) -> int:
        names = _their_names(layout, model, targets)
        return sum(
            key in names or _reason_to_drop(layout, key, modules) is not None
            for key in keys
        )

    return max(known_layouts(model.params.name), key=known)


def convert_state_dict(
    model: Backbone, state: Mapping[str, Any], layout: Layout | None = None
) -> Conversion:
    """Renames a dictionary's entries, and changes values where the same function needs other numbers.

    Args:
        model: The model that is to take the result.
        state: Arrays or Paddle tensors by name.
        layout: What it is; recognised by its keys if not given. Whether the model was made with the arguments that
            belong to it, `check_arguments` says.

    Raises:
        UserError: the model's epsilon cannot take the given variances.
    """
    layout = layout or recognise(model, list(state))
    targets = {key: list(value.shape) for key, value in model.state_dict().items()}
    ours = _their_names(layout, model, list(targets))
    modules = _modules(targets)
    converted: dict[str, Any] = {}
    uses, unexpected = [], []
    for key, value in state.items():
        reason = None
        if key not in ours:
            reason = _reason_to_drop(layout, key, modules)
        if reason is not None:
            uses.append(KeyUse(key, None, reason))
        elif key not in ours:
            unexpected.append(key)
            if key not in targets:
                converted[key] = value
        elif ours[key] not in targets:
            uses.append(KeyUse(key, None, "the model has no classifier"))
        else:
            target = ours[key]
            converted[target], note = _to_ours(
                layout, model, target, value, targets[target]
            )
            uses.append(KeyUse(key, target, note))
    missing = tuple(key for key in targets if key not in converted)
    return Conversion(layout, converted, tuple(uses), missing, tuple(unexpected))


def to_layout(model: Backbone, layout: Layout) -> dict[str, np.ndarray]:
    """A model's values as a dictionary of another library, in the order of the model's.

    Raises:
        UserError: the model was made with arguments that the other library does not have.
    """
    check_arguments(model, layout)
    targets = {key: value.numpy() for key, value in model.state_dict().items()}
    theirs = {
        ours: name for name, ours in _their_names(layout, model, list(targets)).items()
    }
    return {
        theirs[key]: _to_theirs(layout, model, key, value)
        for key, value in targets.items()
    }


def check_arguments(model: Backbone, layout: Layout) -> None:
    """Refuses a layout whose values mean the same function only with other arguments.

    Raises:
        UserError: naming the arguments.
    """
    wanted, given = wanted_and_given(model, layout)
    if given != wanted:
        raise UserError(
            f"{model.params.name}: {layout.source}'s weights belong to {wanted} and the model was made with {given}; "
            f"make it with {wanted}"
        )


def wanted_and_given(model: Backbone, layout: Layout) -> tuple[str, str]:
    """The arguments that a layout's values need and those that the model has, as text: `NAME=VALUE, ...`."""
    wanted = {} if layout is OURS else arguments_of(model, layout)
    given = {name: getattr(model.params, name) for name in wanted}
    named = (
        ", ".join(f"{name}={value!r}" for name, value in part.items())
        for part in (wanted, given)
    )
    return next(named), next(named)


def arguments_of(model: Backbone, layout: Layout) -> dict[str, Any]:
    """What a layout says of the geometry: its own arguments, and the defaults of those that only others change."""
    geometry = {
        name for known in known_layouts(model.params.name) for name in known.arguments
    }
    defaults = {
        field.name: field.default
        for field in fields(model.params)
        if field.name in geometry
    }
    return {**defaults, **layout.arguments}


def _their_names(
    layout: Layout, model: Backbone, targets: Sequence[str]
) -> dict[str, str]:
    """Our key of each of theirs, and of a classifier even if the model has none."""
    keys = dict.fromkeys([*targets, "fc.weight", "fc.bias"])
    layers = list(dict.fromkeys(key.rpartition(".")[0] for key in keys))
    naming = layout.naming(model.params.name, layers)
    names = {}
    for key in keys:
        layer, _, leaf = key.rpartition(".")
        names[
            f"{naming[layer]}.{_TORCH_LEAVES.get(leaf, leaf) if layout.torch else leaf}"
        ] = key
    return names


def _modules(targets: Iterable[str]) -> frozenset[str]:
    """The names of all modules that hold our tensors, and of those that hold them."""
    found = set()
    for key in targets:
        module = key.rpartition(".")[0]
        while module and module not in found:
            found.add(module)
            module = module.rpartition(".")[0]
    return frozenset(found)


def _reason_to_drop(layout: Layout, key: str, modules: frozenset[str]) -> str | None:
    if key == NAME_TABLE:
        return "Paddle's table of parameter names"
    if key == RECORD:
        return "what the converter noted of the file"
    reason = layout.unused(key, modules)
    if reason is None and layout.torch and key.endswith(f".{_COUNTER}"):
        reason = "a count of batches that nothing reads"
    return reason


def _to_ours(
    layout: Layout, model: Backbone, key: str, value: Any, shape: Sequence[int]
) -> tuple[Any, str]:
    """Their values as ours, and what was done to them."""
    if layout is OURS or not hasattr(value, "shape"):
        return value, ""
    notes = []
    if _is_matrix(layout, key) and len(value.shape) == 2:
        value = _array(value)
        # Torch and convolutions have [out, in], Paddle's matrices [in, out]
        if layout.torch != (len(shape) == 4):
            value = value.T
            notes.append("transposed")
        if len(shape) == 4:
            value = value[:, :, None, None]
            notes.append("as a 1x1 convolution")
    if key in layout.factors:
        value = _array(value) * _array(value).dtype.type(layout.factors[key])
        notes.append(
            f"times {layout.factors[key]:g}, for a dropout that scales in evaluation"
        )
    shift = _shift(layout, model, key)
    if shift:
        value = _array(value) + _array(value).dtype.type(shift)
        if value.min() < 0:
            raise UserError(
                f"{model.params.name}: {key} is below {-shift:g}, so an epsilon of {layout.epsilon:g} cannot become "
                f"another one; make the model with epsilon={layout.epsilon:g}"
            )
        notes.append(f"{shift:+g}, the difference of the epsilons")
    return value, "; ".join(notes)


def _to_theirs(
    layout: Layout, model: Backbone, key: str, value: np.ndarray
) -> np.ndarray:
    """Our values as theirs: the inverse of `_to_ours`."""
    value = value - np.float32(_shift(layout, model, key))
    value = value / np.float32(layout.factors.get(key, 1.0))
    if not _is_matrix(layout, key):
        return value
    is_convolution = value.ndim == 4
    value = value.reshape(value.shape[:2])
    return np.ascontiguousarray(value.T) if layout.torch != is_convolution else value


def _is_matrix(layout: Layout, key: str) -> bool:
    layer, _, leaf = key.rpartition(".")
    return leaf == "weight" and re.fullmatch(layout.matrices, layer) is not None


def _shift(layout: Layout, model: Backbone, key: str) -> float:
    """What a running variance takes for `variance + epsilon` to stay the same number."""
    if layout.epsilon is None or not key.endswith("._variance"):
        return 0.0
    return layout.epsilon - getattr(model.params, "epsilon", layout.epsilon)


def _array(value: Any) -> np.ndarray:
    return value if isinstance(value, np.ndarray) else value.numpy()
