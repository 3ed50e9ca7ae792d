"""Stand-ins for the storages of `torch.save`: sequences of numbers, which tensors are views of."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppcls.untrusted.limits import MAX_NAME, Meter, are_counts
from ppcls.untrusted.npz import bfloat16_to_float32, native
from ppcls.untrusted.pickle_stand_ins import Allowed, StandIn
from ppcls.untrusted.refusals import Damaged, permit, require, shown

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
    """Stands for a storage, whose numbers are read after the pickle has named it."""

    __slots__ = ("count", "kind", "numbers")

    def __init__(self, kind: str, count: int) -> None:
        self.kind = kind
        self.count = count
        self.numbers: np.ndarray | None = None

    @property
    def stored(self) -> np.dtype:
        """The type of the numbers in the file."""
        return np.dtype(DTYPES[self.kind])

    def fill(self, content: np.ndarray, order: Any) -> None:
        """Takes over the storage's bytes, which own their memory.

        Args:
            content: Unsigned 8-bit integers [bytes].
            order: Their byte order, `<` or `>`.
        """
        if self.kind == "BoolStorage":
            self.numbers = content != 0  # numpy's truth values are 0 and 1 alone
            return
        numbers = native(content.view(self.stored.newbyteorder(order)))
        if self.kind == _BFLOAT16:
            numbers = bfloat16_to_float32(numbers)
        self.numbers = numbers

    def finish(self, meter: Meter) -> np.ndarray:
        """Returns all of its numbers."""
        if self.numbers is None:
            raise Damaged("a storage without bytes")
        return self.numbers


class Slice(StandIn):
    """Stands for a part of a storage, as the old stream writes views."""

    __slots__ = ("count", "root", "start")

    def __init__(self, root: Storage, start: int, count: int) -> None:
        require(start + count <= root.count, "a view that reaches beyond its storage")
        self.root = root
        self.start = start
        self.count = count

    def finish(self, meter: Meter) -> np.ndarray:
        """Returns the numbers of the part."""
        return self.root.finish(meter)[self.start : self.start + self.count]


class Storages:
    """The storages that a pickle names, by key."""

    def __init__(self) -> None:
        self.by_key: dict[str, Storage] = {}

    def find(self, named: Any) -> StandIn:
        """What stands for a persistent id: ("storage", class, key, place, count) and, in old files, a view.

        Raises:
            Refused: it is not the id of a storage.
            Damaged: it contradicts itself or another one.
        """
        _, kind, key, _, count, view = _six_parts(named)
        permit(
            isinstance(kind, Allowed) and kind.name in DTYPES,
            "a storage without a type",
        )
        permit(type(key) is str and len(key) <= MAX_NAME, "a storage without a name")
        storage = self._storage(key, kind.name, sizes((count,))[0])
        if view is None:
            return storage
        return self._view(storage, key, view)

    def _view(self, storage: Storage, key: str, view: Any) -> Slice:
        is_described = isinstance(view, tuple) and len(view) == 3
        require(is_described, f"a view of storage {shown(key)} that is not described")
        return Slice(storage, *sizes(view[1:]))

    def _storage(self, key: str, kind: str, count: int) -> Storage:
        storage = self.by_key.setdefault(key, Storage(kind, count))
        require(
            (storage.kind, storage.count) == (kind, count),
            f"storage {shown(key)} is described in two ways",
        )
        return storage


def _six_parts(named: Any) -> tuple[Any, ...]:
    """The parts of a storage's persistent id; the last is None if the id has no view."""
    parts = named if isinstance(named, tuple) else ()
    permit(parts[:1] != ("module",), "a whole module")
    if len(parts) == 5:
        parts = (*parts, None)
    permit(
        len(parts) == 6 and parts[0] == "storage",
        "an object that is not in the file (a persistent id)",
    )
    return parts


def sizes(numbers: Any) -> tuple[int, ...]:
    """Checks numbers of a pickle that have to be counts, and returns them.

    Raises:
        Damaged: one is negative or not a whole number, or there are too many.
    """
    require(
        isinstance(numbers, (tuple, list)) and are_counts(numbers),
        "a tensor whose sizes, strides or offset are not counts",
    )
    return tuple(numbers)
