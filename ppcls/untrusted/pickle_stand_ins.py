"""What a pickle's names and objects are while it is read: stand-ins, which do nothing but hold data."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from ppcls.untrusted.pickle_limits import Meter
from ppcls.untrusted.refusals import Refused, shown

PLAIN = (str, bytes, bool, int, float, complex, type(None))
Names = dict[str, Callable[..., Any]]


class StandIn:
    """What a file's object is until the whole file has been read."""

    __slots__ = ()

    def finish(self, meter: Meter) -> Any:
        """The object itself."""
        raise NotImplementedError

    def __setstate__(self, state: Any) -> None:
        raise Refused(f"a change of {type(self).__name__.lstrip('_').lower()}")


class Admitted:
    """A name out of a table, as a pickle sees it: it can be called, and cannot be changed."""

    __slots__ = ("call", "meter", "name")

    def __init__(self, name: str, call: Callable[..., Any], meter: Meter) -> None:
        self.name, self.call, self.meter = name, call, meter

    def __call__(self, *arguments: Any) -> Any:
        """Calls what stands for the name, after counting what it has to go through."""
        for argument in arguments:
            if isinstance(argument, str):
                self.meter.claim(len(argument))
            elif isinstance(argument, (list, tuple, set, dict)):
                self.meter.step(len(argument))
        return self.call(*arguments)

    def __setstate__(self, state: object) -> None:
        raise Refused(f"a change of {self.name}")


class Inert(StandIn):
    """Stands for a class, a function or an object of other software, such as the arguments of a training script.

    A pickle may call it, fill it and change it. It does nothing and keeps nothing but its name.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *arguments: Any) -> Inert:
        """The object that a call would make."""
        return self

    def __setstate__(self, state: object) -> None:
        pass

    def append(self, item: object) -> None:
        """Drops an item of an object that is a list."""

    def extend(self, items: object) -> None:
        """Drops items of an object that is a list."""

    def finish(self, meter: Meter) -> Inert:
        """Itself."""
        return self


class Ordered(dict):
    """Stands for an OrderedDict; a pickle can set no attributes on it."""

    __slots__ = ()


def never(what: str) -> Callable[..., None]:
    """A name that may be spoken of and never called."""

    def refuse(*arguments: object) -> None:
        raise Refused(what)

    return refuse


def check_key(key: object) -> object:
    """Refuses what takes long to hash: tuples in tuples, and numbers without end.

    Args:
        key: What is to be a dictionary's key or stand in a set.

    Returns:
        The same.
    """
    for part in key if type(key) is tuple and len(key) <= 16 else (key,):
        if not (type(part) in PLAIN or isinstance(part, StandIn)):
            raise Refused(f"a key of type {type(part).__name__}")
        if type(part) is int and part.bit_length() > 64:
            raise Refused("a key of more than 64 bits")
    return key


def put(target: Any, items: Sequence[Any]) -> Any:
    """Adds keys and values, which take turns in `items`, to a dictionary; returns it."""
    if isinstance(target, Inert):
        return target
    if type(target) is not dict and not isinstance(target, Ordered):
        raise Refused(f"items in a {type(target).__name__}")
    for key, value in zip(items[::2], items[1::2]):
        if check_key(key) in target:
            raise Refused(f"the key {shown(key)!r} twice")
        target[key] = value
    return target


def _ordered(pairs: Sequence[Sequence[Any]] = ()) -> Ordered:
    return put(Ordered(), [part for key, value in pairs for part in (key, value)])


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise Refused(f"the codec {shown(encoding)}")
    return text.encode("latin-1")


def _tuple(items: Any = ()) -> tuple[Any, ...]:
    if type(items) not in (list, tuple, set):
        raise Refused(f"a tuple of a {type(items).__name__}")
    return tuple(items)


def _set(items: Any = ()) -> Any:
    return {check_key(item) for item in _tuple(items)}


# Modules whose names can do harm where they are called. Other packages' names are inert; of these only the data below.
_REFUSED_PACKAGES = frozenset(
    {*sys.stdlib_module_names, "__builtin__", "copy_reg", "numpy", "torch"}
)
_TORCH_TYPES = "bfloat16 bool float16 float32 float64 half int16 int32 int64 int8 uint8"
_INERT_NAMES = {
    "argparse": "Namespace",
    "builtins": "bool bytearray bytes complex dict float frozenset int list object range set slice str tuple "
    "long unicode xrange",  # as protocol 2 writes int, str and range
    "collections": "ChainMap Counter defaultdict deque",
    "copyreg": "_reconstructor",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "functools": "partial",
    "pathlib": "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath",
    "torch": f"{_TORCH_TYPES} Generator",
    "torch.torch_version": "TorchVersion",
    "types": "SimpleNamespace",
    "uuid": "UUID",
}
_INERT_PACKAGES = ("torch.nn.", "torch.optim.", "numpy.random.")
# Python 2 and 3.13 give these modules other names.
_SPELLINGS = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "pathlib._local": "pathlib",
}


def is_inert(module: str, name: str) -> bool:
    """Whether a name that a pickle asks for may be there without meaning anything: as `Inert`.

    So may the data classes of Python and torch, the modules, optimizers and schedules of torch, numpy's random
    generators, and whatever is of any other package: settings that training scripts save beside the weights. What is
    left is refused by name: a file that asks for `os.system` is no file of weights.
    """
    if not f"{module}.{name}".replace(".", "").isidentifier():
        return False
    home = _SPELLINGS.get(module, module)
    if home.partition(".")[0] not in _REFUSED_PACKAGES:
        return True
    return (
        home.startswith(_INERT_PACKAGES) or name in _INERT_NAMES.get(home, "").split()
    )


PYTHON_NAMES: Names = {
    "collections.OrderedDict": _ordered,
    "_codecs.encode": _encode,  # how protocol 2 writes bytes
    "builtins.bytes": lambda: b"",  # how it writes none
    "builtins.set": _set,
    "builtins.tuple": _tuple,  # how paddle.save writes a lone tensor
    "builtins.complex": complex,
}
