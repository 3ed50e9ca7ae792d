"""Stand-ins for tensors and what else stands in a state dict of torch.

Sparse, quantised and complex tensors and whole modules are refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ppcls.untrusted.pickle_limits import Meter
from ppcls.untrusted.pickle_stand_ins import Names, Ordered, StandIn, never, put
from ppcls.untrusted.refusals import Damaged, Refused
from ppcls.untrusted.torch_storages import DTYPES, Slice, Storage, sizes
from ppcls.untrusted.unpickle import ADMITTED


class _Attributed(Ordered):
    """A state dict carries its modules' versions as an attribute, which nothing here reads."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        pass


class _Tensor(StandIn):
    """Stands for a tensor: a strided view of a storage."""

    __slots__ = ("offset", "size", "storage", "stride", "value")

    def __init__(self, storage: Any, offset: Any, size: Any, stride: Any) -> None:
        if not isinstance(storage, (Storage, Slice)):
            raise Refused("a tensor without a storage")
        self.storage, self.offset = storage, sizes((offset,))[0]
        self.size, self.stride = sizes(size), sizes(stride)
        self.value: np.ndarray | None = None
        if len(self.size) != len(self.stride):
            raise Damaged(
                f"a tensor of {len(self.size)} sizes and {len(self.stride)} strides"
            )
        last = sum((side - 1) * step for side, step in zip(self.size, self.stride))
        if 0 not in self.size and self.offset + last >= storage.count:
            raise Damaged(
                f"a tensor that reaches to number {self.offset + last} of a storage of {storage.count}"
            )

    def finish(self, meter: Meter) -> np.ndarray:
        """The array; tensors that share a storage share its memory."""
        if self.value is None:
            numbers = self.storage.finish(meter)
            if 0 in self.size:
                return np.zeros(self.size, numbers.dtype)
            meter.claim(math.prod(self.size) * numbers.itemsize)
            strides = [step * numbers.itemsize for step in self.stride]
            view = np.lib.stride_tricks.as_strided(
                numbers[self.offset :], self.size, strides
            )
            self.value = view if view.flags.c_contiguous else view.copy()
        return self.value


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
        raise Refused("a parameter that is no tensor or has hooks")
    return data


def _ordered(pairs: Sequence[Sequence[Any]] = ()) -> Ordered:
    return put(_Attributed(), [part for key, value in pairs for part in (key, value)])


TORCH_NAMES: Names = {
    **ADMITTED,
    "collections.OrderedDict": _ordered,
    "torch._utils._rebuild_tensor": _Tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor_v2,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
    "torch.Size": sizes,
    "torch.device": lambda *arguments: "a device",
    "torch.storage.UntypedStorage": never("a bare torch.storage.UntypedStorage"),
    **{f"torch.{kind}": never(f"a bare torch.{kind}") for kind in DTYPES},
}
