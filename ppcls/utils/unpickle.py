"""Reads pickles of arrays without running anything that a pickle may ask for.

`.pdparams` and `.pdopt` files are pickles, and a pickle is a program: it may call whatever can be imported. Here
every name that a file asks for becomes a stand-in out of the fixed table `_ADMITTED`; not even numpy's own
reconstruction runs. What comes out is rebuilt from plain types alone.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import Any, BinaryIO, Callable, Dict, Tuple

import numpy as np

from ppcls.utils.errors import UserError
from ppcls.utils.files import PathLike

_PLAIN = (str, bytes, bool, int, float, complex, type(None))
_KINDS = "biufcSU"  # of dtypes; objects, records and everything with pointers stay out


class _Refused(Exception):
    """The file asks for more than data."""


class _Ordered(dict):
    """Stands for an OrderedDict; a pickle can set no attributes on it."""

    __slots__ = ()


class _Dtype:
    """Stands for a dtype of numbers or text."""

    __slots__ = ("dtype",)

    def __init__(self, name: object, align: object = False, copy: object = False) -> None:
        if not (isinstance(name, str) and name[:1] in _KINDS and name[1:].isdecimal()):
            raise _Refused(f"arrays of type {name!r}")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: Tuple[Any, ...]) -> None:
        _, order, subtype, names, fields = state[:5]
        if subtype is not None or names is not None or fields is not None:
            raise _Refused("arrays of records")
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """Stands for an array, or a numpy number, until its contents have been read."""

    __slots__ = ("value",)
    value: Any

    def __init__(self, subtype: object, shape: object, dtype: object) -> None:
        if not (isinstance(subtype, _Admitted) and subtype.name == "ndarray"):
            raise _Refused("a subclass of an array")

    def __setstate__(self, state: Tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, content = state
        self.value = _array(content, dtype, shape, "F" if fortran else "C")


class _Admitted:
    """A name out of `_ADMITTED`, as a pickle sees it: it can be called, and cannot be changed."""

    __slots__ = ("call", "name")

    def __init__(self, name: str, call: Callable[..., Any]) -> None:
        self.name, self.call = name, call

    def __call__(self, *arguments: Any) -> Any:
        return self.call(*arguments)

    def __setstate__(self, state: object) -> None:
        raise _Refused(f"a change of {self.name}")


def _array(content: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> np.ndarray:
    if not isinstance(dtype, _Dtype) or not isinstance(content, (bytes, bytearray)):
        raise _Refused("an array that is not made of bytes")
    flat = np.frombuffer(content, dtype.dtype)
    array = flat.reshape(shape, order=order) if axes is None else flat.reshape(shape).transpose(axes)
    return array.copy("K")


def _frombuffer(content: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> _Array:
    array = _Array.__new__(_Array)
    array.value = _array(content, dtype, shape, order, axes)
    return array


def _scalar(dtype: Any, content: Any) -> _Array:
    array = _frombuffer(content, dtype, (), "C")
    array.value = array.value[()]
    return array


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise _Refused(f"the codec {encoding}")
    return text.encode("latin-1")


def _no_bytes() -> bytes:
    return b""


def _never(*arguments: object) -> None:
    raise _Refused("a bare numpy.ndarray")


_ADMITTED: Dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _Ordered,
    "_codecs.encode": _encode,  # how protocol 2 writes bytes
    "builtins.bytes": _no_bytes,  # how it writes none
    "builtins.set": set,
    "builtins.tuple": tuple,  # how paddle.save writes a lone tensor
    "builtins.complex": complex,
    "numpy.ndarray": _never,
    "numpy.dtype": _Dtype,
    "numpy.multiarray._reconstruct": _Array,
    "numpy.multiarray.scalar": _scalar,
    "numpy.numeric._frombuffer": _frombuffer,
}


# The implementation in Python: its memo is a dictionary, so a crafted index cannot claim all memory.
class _ArrayUnpickler(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        home = module.replace("numpy._core.", "numpy.").replace("numpy.core.", "numpy.")
        call = _ADMITTED.get(f"{home.replace('__builtin__', 'builtins')}.{name}")
        if call is None:
            raise _Refused(f"{module}.{name}")
        return _Admitted(name, call)


def load_pickle(path: PathLike) -> Any:
    """Reads what `paddle.save` wrote: numpy arrays in dictionaries, lists, tuples and sets, with numbers and text.

    Dictionaries come back as `dict` or `OrderedDict`, tensors as arrays that own their memory.

    Raises:
        UserError: the file cannot be read, is damaged, or asks for anything else; nothing of it was run.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a string or a path
            return _read(file)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); give the file's path") from error
    except _Refused as error:
        raise UserError(
            f"{path}: refused, for it asks for {error} and only arrays and plain containers are read from it; "
            "use a file written by paddle.save of a state dict"
        ) from error
    except Exception as error:  # damaged pickles raise almost anything
        raise UserError(
            f"{path}: no whole pickle of arrays ({type(error).__name__}: {error}); copy or download the file again"
        ) from error


def _read(file: BinaryIO) -> Any:
    return _rebuild(_ArrayUnpickler(file).load(), {})


def _rebuild(value: Any, done: Dict[int, Any]) -> Any:
    """Replaces stand-ins by what they stand for; `done` keeps shared parts shared and finds circles."""
    if type(value) in _PLAIN:
        return value
    if type(value) is _Array:
        return value.value
    if id(value) not in done:
        done[id(value)] = _Refused
        done[id(value)] = _rebuild_container(value, done)
    if done[id(value)] is _Refused:
        raise _Refused("a container that contains itself")
    return done[id(value)]


def _rebuild_container(value: Any, done: Dict[int, Any]) -> Any:
    if type(value) in (list, tuple, set):
        return type(value)(_rebuild(item, done) for item in value)
    if type(value) in (dict, _Ordered):
        items = [(_rebuild(key, done), _rebuild(item, done)) for key, item in value.items()]
        return OrderedDict(items) if type(value) is _Ordered else dict(items)
    raise _Refused(f"an object of type {type(value).__name__}")
