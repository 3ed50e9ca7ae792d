"""Stand-ins for the storages of `torch.save`: runs of numbers, which tensors are views of."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppcls.untrusted.arrays import bfloat16_to_float32, native
from ppcls.untrusted.pickle_limits import Meter
from ppcls.untrusted.pickle_stand_ins import Admitted, StandIn
from ppcls.untrusted.refusals import Damaged, Refused, shown

_BFLOAT16 = "BFloat16Storage"
DTYPES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    _BFLOAT16: "u2",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
    "UntypedStorage": "u1",
}


class Storage(StandIn):
    """Stands for a storage; its numbers come after the pickle has named it."""

    __slots__ = ("count", "kind", "numbers")

    def __init__(self, kind: str, count: int) -> None:
        self.kind, self.count = kind, count
        self.numbers: np.ndarray | None = None

    @property
    def stored(self) -> np.dtype:
        """The type of the bytes in the file."""
        return np.dtype(DTYPES[self.kind])

    def fill(self, content: np.ndarray, order: Any) -> None:
        """Takes over the storage's bytes, which lie in memory of their own."""
        numbers = native(content.view(self.stored.newbyteorder(order)))
        if self.kind == "BoolStorage":
            numbers = content != 0  # a byte of 2 is no truth value to numpy
        self.numbers = (
            bfloat16_to_float32(numbers) if self.kind == _BFLOAT16 else numbers
        )

    def finish(self, meter: Meter) -> np.ndarray:
        """All of its numbers."""
        if self.numbers is None:
            raise Damaged("a storage without bytes")
        return self.numbers


class Slice(StandIn):
    """Stands for a part of a storage, as the old stream writes views."""

    __slots__ = ("count", "root", "start")

    def __init__(self, root: Storage, start: int, count: int) -> None:
        if start + count > root.count:
            raise Damaged("a view that reaches beyond its storage")
        self.root, self.start, self.count = root, start, count

    def finish(self, meter: Meter) -> np.ndarray:
        """Its numbers."""
        return self.root.finish(meter)[self.start : self.start + self.count]


class Storages:
    """The storages that a pickle speaks of, by key."""

    def __init__(self) -> None:
        self.by_key: dict[str, Storage] = {}

    def find(self, named: Any) -> StandIn:
        """What stands for a persistent id: ("storage", class, key, place, count) and, in old files, a view."""
        if isinstance(named, tuple) and named[:1] == ("module",):
            raise Refused("a whole module")
        if (
            not isinstance(named, tuple)
            or len(named) not in (5, 6)
            or named[0] != "storage"
        ):
            raise Refused("an object from elsewhere (a persistent id)")
        _, kind, key, _, count, *view = named
        if (
            not isinstance(kind, Admitted)
            or kind.name not in DTYPES
            or type(key) is not str
        ):
            raise Refused("a storage without type or key")
        storage = self.by_key.setdefault(key, Storage(kind.name, *sizes((count,))))
        if (storage.kind, storage.count) != (kind.name, count):
            raise Damaged(f"storage {shown(key)} is described in two ways")
        if view and view[0] is not None:
            if not isinstance(view[0], tuple) or len(view[0]) != 3:
                raise Damaged(f"a view of storage {shown(key)} that is not described")
            return Slice(storage, *sizes(view[0][1:]))
        return storage


def sizes(numbers: Any) -> tuple[int, ...]:
    """Numbers out of a pickle that have to be counts."""
    if not isinstance(numbers, (tuple, list)) or any(
        type(number) is not int or number < 0 for number in numbers
    ):
        raise Damaged("a tensor whose sizes, strides or offset are no counts")
    return tuple(numbers)
