from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

from ppcls.utils.registry import Registry

LOSSES = Registry("loss")


def weighted_sum(losses: Sequence[Any], logits: Any, target: Any) -> dict[str, Any]:
    """Values by name for the log, the total under `loss`; each loss carries its own weight.

    One loss is its own total. Of several each is there by its name (`CELoss`, a second one as `CELoss_2`),
    and `loss` comes last.
    """
    values: dict[str, Any] = {}
    for loss in losses:
        name, count = type(loss).__name__, 1
        while name in values:
            count += 1
            name = f"{type(loss).__name__}_{count}"
        values[name] = loss(logits, target)
    if not values:
        return {}
    total = reduce(add, values.values())
    if len(values) == 1:
        return {"loss": total}
    return {**values, "loss": total}
