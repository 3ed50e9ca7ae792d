"""Reads pickles of arrays without running anything that a pickle may ask for.

`.pdparams` and `.pdopt` files are pickles, and a pickle is a program: it may call whatever can be imported. Here
every name that a file asks for becomes a stand-in out of a fixed table (`ADMITTED`, or a reader's own), or an `Inert`
one that does nothing, or the file is refused. What comes out is rebuilt from plain types and `Inert` alone, and
`pickle_limits` bounds its size.
"""

from __future__ import annotations

import os
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from ppcls.untrusted.pickle_arrays import NUMPY_NAMES
from ppcls.untrusted.pickle_limits import Meter, Stream
from ppcls.untrusted.pickle_stand_ins import (
    PLAIN,
    PYTHON_NAMES,
    Admitted,
    Inert,
    Names,
    Ordered,
    StandIn,
    check_key,
    is_inert,
    never,
    put,
)
from ppcls.untrusted.refusals import Refused, refusals, shown
from ppcls.utils.files import PathLike

ADMITTED: Names = {**PYTHON_NAMES, **NUMPY_NAMES}
_MAX_DEPTH = 150
_MAX_NAME = 500  # characters


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


# The implementation in Python: its memo is a dictionary, so a crafted index cannot claim all memory, and its
# instructions can be replaced.
class _ArrayUnpickler(pickle._Unpickler):
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(
        pickle._Unpickler.dispatch
    )
    stack: list[Any]
    pop_mark: Callable[[], list[Any]]

    def __init__(
        self, stream: Stream, admitted: Names, outside: Callable[[Any], Any]
    ) -> None:
        super().__init__(stream, encoding="utf-8")
        self.stream, self.admitted, self.outside = stream, admitted, outside

    def persistent_load(self, pid: Any) -> Any:
        return self.outside(pid)

    def find_class(self, module: str, name: str) -> Any:
        # A short pickle can ask for a long one again and again
        if len(module) + len(name) > _MAX_NAME:
            raise Refused(f"{shown(module)}.{shown(name)}")
        home = module.replace("numpy._core.", "numpy.").replace("numpy.core.", "numpy.")
        call = self.admitted.get(f"{home.replace('__builtin__', 'builtins')}.{name}")
        if call is not None:
            return Admitted(name, call, self.stream.meter)
        if isinstance(module, str) and isinstance(name, str) and is_inert(module, name):
            return Inert(f"{module}.{name}")
        raise Refused(f"{shown(module)}.{shown(name)}")

    def get_extension(self, code: int) -> None:
        raise Refused(f"the registered extension {code}")

    def _skip_frame(self) -> None:
        """A frame says how much to read ahead, and nothing here does."""
        self.stream.check(*struct.unpack("<Q", self.stream.read(8)))

    def _load_bytearray(self) -> None:
        self.stack.append(
            bytearray(self.stream.read(*struct.unpack("<Q", self.stream.read(8))))
        )

    def _load_dict(self) -> None:
        items = self.pop_mark()
        self.stack.append(put({}, items))

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        put(self.stack[-1], (key, value))

    def _set_items(self) -> None:
        items = self.pop_mark()
        put(self.stack[-1], items)

    def _new_object(self) -> None:
        arguments, cls = self.stack.pop(), self.stack.pop()
        self.stack.append(self._made(cls, arguments))

    def _new_object_with_keywords(self) -> None:
        _, arguments, cls = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.stack.append(self._made(cls, arguments))

    def _made(self, cls: Any, arguments: Any) -> Inert:
        if not isinstance(cls, Inert):
            raise TypeError(f"an object made of something of type {type(cls).__name__}")
        return cls(*arguments)

    def _add_items(self) -> None:
        items = self.pop_mark()
        if isinstance(self.stack[-1], Inert):
            return
        if type(self.stack[-1]) is not set:
            raise Refused(f"items in a {type(self.stack[-1]).__name__}")
        self.stack[-1].update(map(check_key, items))

    def _refuse_frozenset(self) -> None:
        raise Refused("an object of type frozenset")

    dispatch[pickle.FRAME[0]] = _skip_frame
    dispatch[pickle.BYTEARRAY8[0]] = _load_bytearray
    dispatch[pickle.DICT[0]] = _load_dict
    dispatch[pickle.SETITEM[0]] = _set_item
    dispatch[pickle.SETITEMS[0]] = _set_items
    dispatch[pickle.ADDITEMS[0]] = _add_items
    dispatch[pickle.NEWOBJ[0]] = _new_object
    dispatch[pickle.NEWOBJ_EX[0]] = _new_object_with_keywords
    dispatch[pickle.FROZENSET[0]] = _refuse_frozenset


_NOTHING_ELSEWHERE = never("an object from elsewhere (a persistent id)")


def unpickle(
    stream: Stream,
    admitted: Names = ADMITTED,
    persistent_load: Callable[[Any], Any] = _NOTHING_ELSEWHERE,
) -> Any:
    """Reads one pickle into plain containers and stand-ins; `rebuild` makes data of them.

    Args:
        stream: Where it begins; afterwards, where it ends.
        admitted: What stands for each name that a file may ask for, by module and name.
        persistent_load: What stands for an object that the pickle names by a persistent id.

    Raises:
        Refused: the pickle asks for anything else.
        Exception: of any kind, where it is damaged.
    """
    return _ArrayUnpickler(stream, admitted, persistent_load).load()


def rebuild(value: Any, meter: Meter) -> Any:
    """Replaces stand-ins by what they stand for; shared parts stay shared.

    Raises:
        Refused: a container contains itself or lies too deep, or something is no data.
    """
    return _Rebuilder(meter).rebuild(value, 0)


class _Rebuilder:
    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.done: dict[int, Any] = {}

    def rebuild(self, value: Any, depth: int) -> Any:
        if type(value) in PLAIN:
            return value
        if isinstance(value, StandIn):
            return value.finish(self.meter)
        if depth > _MAX_DEPTH:
            raise Refused(f"containers nested more than {_MAX_DEPTH} deep")
        if id(value) not in self.done:
            self.done[id(value)] = Refused
            self.done[id(value)] = self._container(value, depth + 1)
        if self.done[id(value)] is Refused:
            raise Refused("a container that contains itself")
        return self.done[id(value)]

    def _container(self, value: Any, depth: int) -> Any:
        if type(value) in (list, tuple, set):
            return type(value)([self.rebuild(item, depth) for item in value])
        if type(value) is dict or isinstance(value, Ordered):
            items = [
                (self.rebuild(key, depth), self.rebuild(item, depth))
                for key, item in value.items()
            ]
            return OrderedDict(items) if isinstance(value, Ordered) else dict(items)
        raise Refused(
            f"a bare {value.name}"
            if isinstance(value, Admitted)
            else f"an object of type {type(value).__name__}"
        )
