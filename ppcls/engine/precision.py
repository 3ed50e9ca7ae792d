"""The numbers that a run computes with: float32, or mixed precision (Micikevicius et al. 2018, arXiv:1710.03740)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import paddle

from ppcls.kernels import selection
from ppcls.utils.errors import UserError

_HALF = ("paddle.float16", "paddle.bfloat16")


def forget_gradients(optimizer: Any) -> None:
    """Free the gradients.

    By itself Paddle fills them with zeros and keeps them: the next step has to hold them, and to add to them.
    """
    optimizer.clear_grad(set_to_zero=False)


class Precision:
    """Float32 throughout; and the steps that mixed precision does otherwise."""

    def prepare(self, model: Any, optimizer: Any) -> tuple[Any, Any]:
        """The model and the optimizer as training uses them."""
        return model, optimizer

    def context(self) -> contextlib.AbstractContextManager[Any]:
        """The context of forward passes and losses."""
        return contextlib.nullcontext()

    def evaluation_context(self) -> contextlib.AbstractContextManager[Any]:
        """The context of evaluation's forward passes."""
        return contextlib.nullcontext()

    def stepped_weights(
        self, model: Any, optimizer: Any
    ) -> contextlib.AbstractContextManager[Any]:
        """While entered, the model has the weights that the optimizer steps; then its own again, bit for bit."""
        return contextlib.nullcontext()

    def evaluation_weights(
        self, model: Any, optimizer: Any
    ) -> contextlib.AbstractContextManager[Any]:
        """While entered, the model has the weights that evaluation uses; then its own again, bit for bit."""
        return contextlib.nullcontext()

    def backward(self, loss: Any) -> None:
        """Adds the gradients of a loss to those that are there."""
        loss.backward()

    def step(self, optimizer: Any) -> bool:
        """One step with the gradients that are there; whether it was taken."""
        optimizer.step()
        return True

    def state(self) -> dict[str, Any] | None:
        """The plain values that `restore` needs; None if there are none."""
        return None

    def restore(self, state: dict[str, Any] | None) -> None:
        """Restore the values of `state`."""
        if state is not None:
            raise UserError(
                "the checkpoint was trained in mixed precision; resume with the AMP section that it was trained with"
            )


class MixedPrecision(Precision):
    """Float16 with a scaled loss, or bfloat16, on a GPU.

    Args:
        level: O1 casts operations that gain from it; O2 holds the weights in half precision as well, beside
            float32 copies that the optimizer steps.
        dtype: float16 or bfloat16.
        scale: What the loss is multiplied by at first; bfloat16 needs no scale.
        dynamic: Whether the scale follows what overflows.
        evaluate: Whether evaluation runs in mixed precision too.
    """

    def __init__(
        self,
        level: str,
        dtype: str,
        scale: float,
        dynamic: bool,
        evaluate: bool = False,
    ) -> None:
        self.level, self.dtype, self.evaluate = level, dtype, evaluate
        self.scaler = paddle.amp.GradScaler(
            enable=dtype == "float16",
            init_loss_scaling=scale,
            use_dynamic_loss_scaling=dynamic,
        )

    def prepare(self, model: Any, optimizer: Any) -> tuple[Any, Any]:
        """With O2, the model in half precision, whose checkpoints are float32, and master weights."""
        if self.level == "O1":
            return model, optimizer
        return paddle.amp.decorate(
            model,
            optimizer,
            level="O2",
            dtype=self.dtype,
            master_weight=True,
            save_dtype="float32",
        )

    def context(self) -> contextlib.AbstractContextManager[Any]:
        """Paddle's automatic casts."""
        return paddle.amp.auto_cast(level=self.level, dtype=self.dtype)

    def evaluation_context(self) -> contextlib.AbstractContextManager[Any]:
        """Float32 unless asked."""
        if self.evaluate:
            return self.context()
        return contextlib.nullcontext()

    def stepped_weights(
        self, model: Any, optimizer: Any
    ) -> contextlib.AbstractContextManager[Any]:
        """With O2 the float32 copies."""
        if self.level == "O1":
            return contextlib.nullcontext()
        return float32_weights(model, optimizer.state_dict().get("master_weights", {}))

    def evaluation_weights(
        self, model: Any, optimizer: Any
    ) -> contextlib.AbstractContextManager[Any]:
        """Those that the optimizer steps, unless half precision is asked for."""
        if self.evaluate:
            return contextlib.nullcontext()
        return self.stepped_weights(model, optimizer)

    def backward(self, loss: Any) -> None:
        """Adds the gradients of the scaled loss."""
        self.scaler.scale(loss).backward()

    def step(self, optimizer: Any) -> bool:
        """One step with unscaled gradients, left out where one of them has overflowed; whether it was taken."""
        self.scaler.step(optimizer)
        # Paddle tells it nowhere else: without dynamic scaling the scaler's counters stand still.
        overflowed = self.scaler.is_enable() and bool(self.scaler._cache_found_inf)
        self.scaler.update()
        return not overflowed

    def state(self) -> dict[str, Any] | None:
        """The scaler's scale and counters."""
        return {
            "level": self.level,
            "dtype": self.dtype,
            "scaler": _plain(self.scaler.state_dict()),
        }

    def restore(self, state: dict[str, Any] | None) -> None:
        """Restore the scaler.

        Raises:
            UserError: the checkpoint was trained in another precision.
        """
        own = f"{self.level} {self.dtype}"
        was = "float32" if state is None else f"{state['level']} {state['dtype']}"
        if state is None or was != own:
            raise UserError(
                f"the checkpoint was trained in {was}, this run in {own}; resume with the AMP "
                "section that it was trained with"
            )
        if self.dtype == "float16":
            saved = dict(state["scaler"])
            saved["scale"] = np.asarray(saved["scale"], "float32").reshape([1])
            self.scaler.load_state_dict(saved)


class CpuMixedPrecision(MixedPrecision):
    """Bfloat16 in backbones on a CPU, by oneDNN's operators; weights, statistics, losses and steps are float32.

    Args:
        evaluate: Whether evaluation runs in bfloat16 too.
    """

    def __init__(self, evaluate: bool = False) -> None:
        super().__init__("O1", "bfloat16", 1.0, False, evaluate)

    def context(self) -> contextlib.AbstractContextManager[Any]:
        """Backbones compute in bfloat16."""
        return selection.bfloat16()


@contextlib.contextmanager
def float32_weights(model: Any, masters: Mapping[str, Any]) -> Iterator[None]:
    """While entered, every tensor of the model that is in half precision is a float32 one.

    Args:
        model: The model; then it has its own tensors again, bit for bit.
        masters: Float32 tensors by Paddle's name of the parameter. One that has none (it is not trained, or no step
            was taken yet) is cast.
    """
    halves = [
        tensor
        for tensor in (*model.parameters(), *model.buffers())
        if str(tensor.dtype) in _HALF
    ]
    kept = [_with_memory_of(tensor, paddle.empty([0])) for tensor in halves]
    try:
        for tensor in halves:
            full = masters.get(tensor.name)
            if full is None:
                full = tensor.astype("float32")
            _with_memory_of(full, tensor)
        yield
    finally:
        for tensor, own in zip(halves, kept):
            _with_memory_of(own, tensor)


def _with_memory_of(source: Any, target: Any) -> Any:
    """Let `target` share the memory and the type of `source`."""
    target.get_tensor()._share_data_with(source.get_tensor())
    return target


def _plain(scaler: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a scaler's state for JSON."""
    plain = {}
    for name, value in scaler.items():
        if hasattr(value, "shape"):
            value = np.asarray(value).reshape([-1]).tolist()
        plain[name] = value
    return plain
