"""The state of an optimizer by structured names, which hold in any process."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from ppcls.utils.errors import UserError, expect

# The optimizer's float32 copy of a weight that is held in half precision
MASTER = "master_weight"


def structured_state(model: Any, optimizer: Any) -> dict[str, Any]:
    """Name the optimizer's arrays by structured names.

    Paddle names them by parameter counters, which differ from process to process.
    """
    owners = {parameter.name: name for name, parameter in model.named_parameters()}
    given = dict(optimizer.state_dict())
    state = {}
    for name, value in given.pop("master_weights", {}).items():
        state[f"{owners[name]}/{MASTER}"] = value
    # The longest names first: linear_1 is the beginning of linear_10
    longest_first = sorted(owners, key=len, reverse=True)
    given.pop("LR_Scheduler", None)
    for key, value in given.items():
        owner = _owner_of(key, longest_first)
        accumulator = key[len(owner) + 1 :]
        state[f"{owners[owner]}/{accumulator}"] = value
    return state


def _owner_of(key: str, names: Iterable[str]) -> str:
    """Find the parameter that an accumulator belongs to."""
    for name in names:
        if key.startswith(f"{name}_"):
            return name
    raise AssertionError(f"optimizer state {key} belongs to no parameter")


def restore_optimizer(
    model: Any, optimizer: Any, state: dict[str, Any], anew: Collection[str] = ()
) -> None:
    """Load the state that `Checkpoint.optimizer` has read into `optimizer`.

    Args:
        model: The model whose parameters it steps.
        optimizer: The optimizer.
        state: Arrays by structured name and accumulator.
        anew: Names of the parameters whose saved state, if any, is left out.

    Raises:
        UserError: an entry belongs to no parameter of the model, or has another shape.
    """
    import paddle

    parameters = dict(model.named_parameters())
    saved = {}
    for key, value in state.items():
        if key.rpartition("/")[0] not in anew:
            saved[key] = value
    renamed = {}
    if saved:
        new = [parameters[name] for name in anew if name in parameters]
        renamed = _initial_state(optimizer, new)
    masters: dict[str, Any] = renamed.pop("master_weights", {})
    fitting = 0
    for key, value in saved.items():
        owner, _, accumulator = key.rpartition("/")
        if owner not in parameters:
            continue
        parameter = parameters[owner]
        _require_shape(key, value, parameter)
        fitting += 1
        if accumulator == MASTER:
            masters[parameter.name] = paddle.to_tensor(value)
        else:
            renamed[f"{parameter.name}_{accumulator}"] = value
    expect(
        fitting == len(saved),
        f"the optimizer state of the checkpoint fits {fitting} of its {len(saved)} entries to this model; "
        "resume with the Arch and Optimizer it was saved with",
    )
    if masters:
        renamed["master_weights"] = masters
    optimizer.set_state_dict(renamed)


def _require_shape(key: str, value: np.ndarray, parameter: Any) -> None:
    """Check that an accumulator is one number or has the shape of its parameter."""
    if value.size != 1 and list(value.shape) != parameter.shape:
        raise UserError(
            f"the optimizer state of the checkpoint has the shape {list(value.shape)} for {key}, but the "
            f"parameter has {parameter.shape}; resume with the Arch and Optimizer it was saved with"
        )


def _initial_state(optimizer: Any, parameters: Sequence[Any]) -> dict[str, Any]:
    """Make the optimizer's state of parameters before their first step, by its own names.

    An optimizer that loads a state takes every parameter's state from there, and makes none itself.
    """
    import paddle

    trained = [parameter for parameter in parameters if not parameter.stop_gradient]
    if not trained:
        return {}
    optimizer._create_accumulators(
        paddle.static.default_main_program().global_block(), trained
    )
    return {**optimizer.state_dict()}
