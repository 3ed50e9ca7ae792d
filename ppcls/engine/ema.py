"""A moving average of the weights (Polyak and Juditsky 1992), evaluated beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import paddle


class MovingAverage:
    """`average = d * average + (1 - d) * weights` after every step that is taken, over parameters and statistics alike.

    Args:
        model: Whose weights; the average begins with them.
        decay: d, below 1.
        warm_up: Whether d is `(1 + n) / (10 + n)` after n steps as long as that is below `decay`, so that the average
            does not drag the initial weights along.
    """

    def __init__(self, model: Any, decay: float, warm_up: bool = False) -> None:
        self.decay, self.warm_up, self.steps = decay, warm_up, 0
        self.average = {
            name: tensor.detach().clone().astype("float32")
            for name, tensor in _floating(model).items()
        }

    def update(self, model: Any) -> None:
        """Takes the weights in as they are after a step."""
        self.steps += 1
        decay = self.decay
        if self.warm_up:
            decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        with paddle.no_grad():
            for name, tensor in _floating(model).items():
                mine = self.average[name]
                mine.scale_(decay).add_(tensor.astype(mine.dtype) * (1 - decay))

    @contextmanager
    def in_place_of_weights(self, model: Any) -> Iterator[None]:
        """While entered, the model has the average; then its own weights again, bit for bit."""
        weights = _floating(model)
        kept = {name: tensor.detach().clone() for name, tensor in weights.items()}
        _assign(weights, self.average)
        try:
            yield
        finally:
            _assign(weights, kept)

    def state(self) -> dict[str, np.ndarray]:
        """The average as arrays by name."""
        return {name: tensor.numpy() for name, tensor in self.average.items()}

    def restore(self, arrays: Mapping[str, np.ndarray], steps: int) -> None:
        """Puts back what `state` gave, and how many steps it had seen."""
        missing: list[str] = [name for name in self.average if name not in arrays]
        if missing:
            raise ValueError(f"the average of {missing[0]} is not there")
        _assign(
            self.average,
            {name: paddle.to_tensor(arrays[name]) for name in self.average},
        )
        self.steps = steps


def _floating(model: Any) -> dict[str, Any]:
    # Without the hook that gives float32 copies of weights held in half precision: these are to be assigned to.
    state = model.state_dict(use_hook=False)
    return {
        name: tensor for name, tensor in state.items() if tensor.is_floating_point()
    }


def _assign(targets: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    with paddle.no_grad():
        for name, target in targets.items():
            paddle.assign(values[name].astype(target.dtype), output=target)
