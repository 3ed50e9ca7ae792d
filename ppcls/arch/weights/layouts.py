"""Conversion of dictionaries of other libraries to ours and back, with an account of every key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ppcls.arch.weights.names import OURS, Layout, layouts_of
from ppcls.untrusted.weight_content import NAME_TABLE, RECORD
from ppcls.utils.errors import UserError, expect

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone

_TORCH_LEAVES = {"_mean": "running_mean", "_variance": "running_var"}
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class KeyUse:
    """How one key of a dictionary was mapped.

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
        layout: The layout of the given dictionary.
        state: Values by our names; values of unknown names keep them, unless it is one of ours.
        uses: Every given key that the layout knows, in order.
        missing: Names of ours that nothing fills.
        unexpected: Given names that the layout does not know.
    """

    layout: Layout
    state: dict[str, Any]
    uses: tuple[KeyUse, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    def account(self) -> str:
        """One line per key: its name, its new name, and what was done to its values."""
        lines = []
        for use in self.uses:
            note = f" ({use.note})" if use.note else ""
            lines.append(f"{use.source} -> {use.target or 'dropped'}{note}")
        return "\n".join(lines) + "\n"


def known_layouts(model_name: str) -> tuple[Layout, ...]:
    """The layouts that a model's weights come in; ours first."""
    return (OURS, *layouts_of(model_name))


def recognise(model: Backbone, keys: Sequence[str]) -> Layout:
    """The layout that knows most of the keys; ours if none knows any."""
    targets = list(model.state_dict())
    modules = _modules(targets)
    best, most = OURS, 0
    for layout in known_layouts(model.params.name):
        names = _their_names(layout, model, targets)
        unknown = [key for key in keys if key not in names]
        reasons = [_reason_to_drop(layout, key, modules) for key in unknown]
        known = len(keys) - reasons.count(None)
        if known > most:
            best, most = layout, known
    return best


def convert_state_dict(
    model: Backbone, state: Mapping[str, Any], layout: Layout | None = None
) -> Conversion:
    """Rename a dictionary's entries, and change values where the same function needs other numbers.

    `check_arguments` checks that the model was made with the arguments that the layout needs.

    Args:
        model: The model that is to take the result.
        state: Arrays or Paddle tensors by name.
        layout: Its layout; recognised by its keys if not given.

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
        target = ours.get(key)
        if target is not None and target in targets:
            shape = targets[target]
            converted[target], note = _to_ours(layout, model, target, value, shape)
            uses.append(KeyUse(key, target, note))
            continue
        reason = _reason_to_drop(layout, key, modules)
        if target is not None:
            reason = "the model has no classifier"
        if reason is not None:
            uses.append(KeyUse(key, None, reason))
            continue
        unexpected.append(key)
        if key not in targets:
            converted[key] = value
    missing = tuple(key for key in targets if key not in converted)
    return Conversion(layout, converted, tuple(uses), missing, tuple(unexpected))


def to_layout(model: Backbone, layout: Layout) -> dict[str, np.ndarray]:
    """A model's values as a dictionary of another library, in the order of the model's.

    Raises:
        UserError: the model was made with arguments that the other library does not have.
    """
    check_arguments(model, layout)
    own = model.state_dict()
    ours = _their_names(layout, model, list(own))
    theirs = {target: name for name, target in ours.items()}
    written: dict[str, np.ndarray] = {}
    for key, value in own.items():
        written[theirs[key]] = _to_theirs(layout, model, key, value.numpy())
    return written


def check_arguments(model: Backbone, layout: Layout) -> None:
    """Refuse a layout whose values mean the same function only with other arguments.

    Raises:
        UserError: naming the arguments.
    """
    wanted, given = wanted_and_given(model, layout)
    expect(
        given == wanted,
        f"{model.params.name}: {layout.source}'s weights belong to {wanted} and the model was made with {given}; "
        f"make it with {wanted}",
    )


def wanted_and_given(model: Backbone, layout: Layout) -> tuple[str, str]:
    """The arguments that a layout's values need and those that the model has, as text: `NAME=VALUE, ...`."""
    wanted: dict[str, Any] = {}
    if layout is not OURS:
        wanted = arguments_of(model, layout)
    given = {name: getattr(model.params, name) for name in wanted}
    return _as_text(wanted), _as_text(given)


def _as_text(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def arguments_of(model: Backbone, layout: Layout) -> dict[str, Any]:
    """The geometry of a layout: its own arguments, and the defaults of those that only other layouts change."""
    geometry: set[str] = set()
    for known in known_layouts(model.params.name):
        geometry.update(known.arguments)
    arguments: dict[str, Any] = {}
    for field in fields(model.params):
        if field.name in geometry:
            arguments[field.name] = field.default
    return {**arguments, **layout.arguments}


def _their_names(
    layout: Layout, model: Backbone, targets: Sequence[str]
) -> dict[str, str]:
    """Our key of each of their keys, with those of a classifier even if the model has none."""
    keys = dict.fromkeys([*targets, "fc.weight", "fc.bias"])
    layers = list(dict.fromkeys(key.rpartition(".")[0] for key in keys))
    naming = layout.naming(model.params.name, layers)
    names = {}
    for key in keys:
        layer, _, leaf = key.rpartition(".")
        if layout.torch:
            leaf = _TORCH_LEAVES.get(leaf, leaf)
        names[f"{naming[layer]}.{leaf}"] = key
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
        return "the converter's record of the file"
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
    notes: list[str] = []
    if _is_matrix(layout, key) and len(value.shape) == 2:
        value = _from_matrix(layout, _array(value), shape, notes)
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


def _from_matrix(
    layout: Layout, value: np.ndarray, shape: Sequence[int], notes: list[str]
) -> np.ndarray:
    """A matrix of theirs as our matrix or 1x1 convolution of a shape."""
    is_convolution = len(shape) == 4
    # Torch and convolutions have [out, in], Paddle's matrices [in, out]
    if layout.torch != is_convolution:
        value = value.T
        notes.append("transposed")
    if is_convolution:
        value = value[:, :, None, None]
        notes.append("as a 1x1 convolution")
    return value


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
    if layout.torch != is_convolution:
        return np.ascontiguousarray(value.T)
    return value


def _is_matrix(layout: Layout, key: str) -> bool:
    layer, _, leaf = key.rpartition(".")
    return leaf == "weight" and re.fullmatch(layout.matrices, layer) is not None


def _shift(layout: Layout, model: Backbone, key: str) -> float:
    """What a running variance takes for `variance + epsilon` to stay the same number."""
    if layout.epsilon is None or not key.endswith("._variance"):
        return 0.0
    return layout.epsilon - getattr(model.params, "epsilon", layout.epsilon)


def _array(value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value
    return value.numpy()
