"""Reads pickles of arrays without running anything that a pickle may ask for.

`.pdparams` and `.pdopt` files are pickles, and a pickle is a program: it may call whatever can be imported. Here
every name that a file asks for is replaced by a stand-in from a fixed table (`ALLOWED_NAMES`, or the table of another
reader), or by an `Inert` one that does nothing, or the file is refused. The result consists of plain types and `Inert`
alone, and `limits` bounds its size.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ppcls.untrusted.limits import Meter, Stream
from ppcls.untrusted.pickle_arrays import NUMPY_NAMES
from ppcls.untrusted.pickle_machine import Machine
from ppcls.untrusted.pickle_stand_ins import (
    PLAIN,
    PYTHON_NAMES,
    Allowed,
    Names,
    Ordered,
    StandIn,
    never,
)
from ppcls.untrusted.refusals import Refused, refusals
from ppcls.utils.files import PathLike

ALLOWED_NAMES: Names = {**PYTHON_NAMES, **NUMPY_NAMES}
_MAX_DEPTH = 150
_OBJECT_COST = 4  # steps
_no_persistent_id = never("an object that is not in the file (a persistent id)")


def load_pickle(path: PathLike) -> Any:
    """Reads what `paddle.save` wrote: numpy arrays in dictionaries, lists, tuples and sets, with numbers and text.

    Dictionaries come back as `dict` or `OrderedDict`, tensors as arrays that own their memory.

    Raises:
        UserError: the file cannot be read, is damaged, or asks for anything else; nothing of it was run.
    """
    remedy = "use a file written by paddle.save or torch.save of a state dict"
    with refusals(path, "pickle of arrays", remedy), Path(path).open("rb") as file:
        stream = Stream(file, os.fstat(file.fileno()).st_size)
        return rebuild(unpickle(stream), stream.meter)


def unpickle(
    stream: Stream,
    names: Names = ALLOWED_NAMES,
    persistent_load: Callable[[Any], Any] = _no_persistent_id,
) -> Any:
    """Reads one pickle into plain containers and stand-ins; `rebuild` converts them to data.

    Args:
        stream: Where it begins; afterwards, where it ends.
        names: What to use for each name that a file may ask for, by module and name.
        persistent_load: What to use for an object that the pickle names by a persistent id.

    Raises:
        Refused: the pickle asks for anything else.
        Exception: any kind, if it is damaged.
    """
    return Machine(stream, names, persistent_load).run()


def rebuild(value: Any, meter: Meter) -> Any:
    """Replaces stand-ins by what they stand for; shared parts stay shared.

    Raises:
        Refused: a container contains itself or is nested too deeply, or something is not data.
    """
    return _Rebuilder(meter).rebuild(value, 0)


class _Rebuilder:
    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        # By the identity of a container; None while it is being rebuilt
        self.done: dict[int, Any] = {}

    def rebuild(self, value: Any, depth: int) -> Any:
        if type(value) in PLAIN:
            return value
        if isinstance(value, StandIn):
            self.meter.step(_OBJECT_COST)
            return value.finish(self.meter)
        if id(value) in self.done:
            rebuilt = self.done[id(value)]
            if rebuilt is None:
                raise Refused("a container that contains itself")
            return rebuilt
        if depth > _MAX_DEPTH:
            raise Refused(f"containers nested more than {_MAX_DEPTH} deep")
        self.done[id(value)] = None
        rebuilt = self._container(value, depth + 1)
        self.done[id(value)] = rebuilt
        return rebuilt

    def _container(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in (list, tuple, set):
            self.meter.step(len(value) + _OBJECT_COST)
            return kind([self.rebuild(item, depth) for item in value])
        if kind is dict or isinstance(value, Ordered):
            self.meter.step(2 * len(value) + _OBJECT_COST)
            return self._dictionary(value, depth)
        if isinstance(value, Allowed):
            raise Refused(f"a bare {value.name}")
        raise Refused(f"an object of type {kind.__name__}")

    def _dictionary(self, value: Any, depth: int) -> dict[Any, Any]:
        rebuilt: dict[Any, Any] = OrderedDict() if isinstance(value, Ordered) else {}
        for key, item in value.items():
            rebuilt[self.rebuild(key, depth)] = self.rebuild(item, depth)
        return rebuilt
