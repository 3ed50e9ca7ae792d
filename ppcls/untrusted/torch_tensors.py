"""Stand-ins for tensors and for what else is in a state dict of torch.

Sparse, quantised and complex tensors and whole modules are refused.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ppcls.untrusted.limits import Meter
from ppcls.untrusted.npz import float32_size
from ppcls.untrusted.pickle_stand_ins import (
    Changeable,
    Names,
    Ordered,
    StandIn,
    never,
    ordered,
)
from ppcls.untrusted.refusals import Refused, permit, require
from ppcls.untrusted.torch_storages import DTYPES, Slice, Storage, sizes
from ppcls.untrusted.unpickle import ALLOWED_NAMES


class _Attributed(Ordered, Changeable):
    """A state dict has the versions of its modules as an attribute, which nothing here reads."""

    __slots__ = ()

    def set_state(self, state: Any) -> None:
        pass


class _Tensor(StandIn):
    """Stands for a tensor: a strided view of a storage."""

    __slots__ = ("offset", "size", "storage", "stride", "value")

    def __init__(self, storage: Any, offset: Any, size: Any, stride: Any) -> None:
        permit(isinstance(storage, (Storage, Slice)), "a tensor without a storage")
        self.storage = storage
        self.offset = sizes((offset,))[0]
        self.size = sizes(size)
        self.stride = sizes(stride)
        self.value: np.ndarray | None = None
        require(
            len(self.size) == len(self.stride),
            f"a tensor of {len(self.size)} sizes and {len(self.stride)} strides",
        )
        if 0 in self.size:
            return
        last = self.offset
        for side, step in zip(self.size, self.stride):
            last += (side - 1) * step
        require(
            last < storage.count,
            f"a tensor that reaches to number {last} of a storage of {storage.count}",
        )

    def finish(self, meter: Meter) -> np.ndarray:
        """Returns the array, which each time counts as made; tensors that share a storage share its memory."""
        if self.value is None:
            self.value = self._array(meter)
        else:
            meter.claim(float32_size(self.value))
        return self.value

    def _array(self, meter: Meter) -> np.ndarray:
        numbers = self.storage.finish(meter)
        if 0 in self.size:
            return np.zeros(self.size, numbers.dtype)
        meter.claim(math.prod(self.size) * float32_size(numbers[:1]))
        strides = [step * numbers.itemsize for step in self.stride]
        view = np.lib.stride_tricks.as_strided(
            numbers[self.offset :], self.size, strides
        )
        return view if view.flags.c_contiguous else view.copy()


def _rebuild_tensor_v2(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    grad: Any = False,
    hooks: Any = None,
    flags: Any = None,
) -> _Tensor:
    if hooks or flags:
        raise Refused("hooks or flags of a tensor")
    return _Tensor(storage, offset, size, stride)


def _rebuild_parameter(data: Any, grad: Any = True, hooks: Any = None) -> _Tensor:
    if not isinstance(data, _Tensor) or hooks:
        raise Refused("a parameter that is not a tensor or has hooks")
    return data


def _ordered(pairs: Any = ()) -> Ordered:
    return ordered(pairs, _Attributed())


TORCH_NAMES: Names = {
    **ALLOWED_NAMES,
    "collections.OrderedDict": _ordered,
    "torch._utils._rebuild_tensor": _Tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor_v2,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
    "torch.Size": sizes,
    "torch.device": lambda *arguments: "a device",
    "torch.storage.UntypedStorage": never("a bare torch.storage.UntypedStorage"),
    **{f"torch.{kind}": never(f"a bare torch.{kind}") for kind in DTYPES},
}
