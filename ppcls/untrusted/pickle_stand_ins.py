"""What a pickle's names and objects are while it is read: stand-ins, which do nothing but hold data."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ppcls.untrusted.limits import MAX_NAME, Meter
from ppcls.untrusted.refusals import Refused, permit, require, shown

PLAIN = frozenset({str, bytes, bool, int, float, complex, type(None)})
Names = dict[str, Callable[..., Any]]
# No name takes more; a call with a shared tuple of thousands would copy it each time
_MAX_ARGUMENTS = 16
_MAX_KEY_BITS = 64
# A file can choose the hashes of other keys, so that each is compared with all before it
_KNOWN_HASHES = frozenset({str, bytes, int, float, bool, type(None)})
_MAX_COLLIDING = 300


class Changeable:
    """What a pickle may try to change after it is made."""

    __slots__ = ()

    def set_state(self, state: Any) -> None:
        """Changes the object.

        Raises:
            Refused: it cannot be changed.
        """
        raise Refused(f"a change of {type(self).__name__.lstrip('_').lower()}")


class StandIn(Changeable):
    """Stands for an object of the file until the whole file has been read."""

    __slots__ = ()

    def finish(self, meter: Meter) -> Any:
        """Returns the object itself."""
        raise NotImplementedError


class Allowed(Changeable):
    """A name from a table of allowed names: it can be called and cannot be changed."""

    __slots__ = ("function", "meter", "name")

    def __init__(self, name: str, function: Callable[..., Any], meter: Meter) -> None:
        self.name = name
        self.function = function
        self.meter = meter

    def __call__(self, arguments: tuple[Any, ...]) -> Any:
        """Calls the function of the table, after counting what it has to read."""
        count = len(arguments)
        require(count <= _MAX_ARGUMENTS, f"{self.name} with {count:,} arguments")
        for argument in arguments:
            if isinstance(argument, str):
                self.meter.claim(len(argument))
            elif isinstance(argument, (list, tuple, set, dict)):
                self.meter.step(len(argument))
        return self.function(*arguments)

    def set_state(self, state: Any) -> None:
        """Refuses the change."""
        raise Refused(f"a change of {self.name}")


class Inert(StandIn):
    """Stands for a class, a function or an object of other software, such as the arguments of a training script.

    A pickle may call it, fill it and change it. It does nothing and keeps nothing but its name.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def set_state(self, state: Any) -> None:
        """Ignores the change."""

    def finish(self, meter: Meter) -> Inert:
        """Returns itself."""
        return self


class Ordered(dict):
    """Stands for an OrderedDict; a pickle can set no attributes on it."""

    __slots__ = ()


def never(what: str) -> Callable[..., None]:
    """A function for a name that a pickle may mention and must not call."""

    def refuse(*arguments: object) -> None:
        raise Refused(what)

    return refuse


def put(target: Any, items: Sequence[Any]) -> Any:
    """Adds alternating keys and values to a dictionary.

    Returns:
        The dictionary.

    Raises:
        Refused: it is not a dictionary, or a key cannot be used.
    """
    if isinstance(target, Inert):
        return target
    if type(target) is not dict and not isinstance(target, Ordered):
        raise Refused(f"items in a {type(target).__name__}")
    for key, value in zip(items[::2], items[1::2]):
        check_key(key, target)
        target[key] = value
    return target


def add(target: Any, items: Iterable[Any]) -> Any:
    """Adds members to a set.

    Returns:
        The set.

    Raises:
        Refused: it is not a set, or a member cannot be used.
    """
    if isinstance(target, Inert):
        return target
    permit(type(target) is set, f"items in a {type(target).__name__}")
    for item in items:
        check_key(item, target)
        target.add(item)
    return target


def check_key(key: object, container: dict[Any, Any] | set[Any]) -> None:
    """Refuses keys that take long to hash or to find, and a key that is there already.

    Args:
        key: A dictionary's new key, or a set's new member.
        container: The dictionary or the set.

    Raises:
        Refused: it cannot be used.
    """
    if type(key) is tuple:
        _check_tuple(key)
    else:
        _check_part(key)
    has_known_hash = type(key) in _KNOWN_HASHES
    if not has_known_hash and len(container) >= _MAX_COLLIDING:
        name = type(key).__name__.lstrip("_").lower()
        raise Refused(f"a {name} as one of more than {_MAX_COLLIDING} keys")
    # Comparing two long equal texts takes time, so the first of them is the last
    permit(key not in container, f"the key {shown(key)!r} twice")


def _check_tuple(key: Any) -> None:
    permit(len(key) <= _MAX_ARGUMENTS, f"a key of {len(key):,} parts")
    for part in key:
        _check_part(part)
        if type(part) in (str, bytes) and len(part) > MAX_NAME:
            raise Refused(f"a key with a text of {len(part):,} characters")


def _check_part(key: Any) -> None:
    if type(key) is int:
        permit(
            key.bit_length() <= _MAX_KEY_BITS,
            f"a key of more than {_MAX_KEY_BITS} bits",
        )
    elif type(key) not in PLAIN and not isinstance(key, StandIn):
        raise Refused(f"a key of type {type(key).__name__}")


def ordered(pairs: Any, target: Ordered) -> Ordered:
    """Fills a stand-in for an OrderedDict from a list of pairs, and returns it."""
    for pair in pairs:
        is_pair = type(pair) in (list, tuple) and len(pair) == 2
        require(is_pair, "an OrderedDict that is not made of pairs")
        put(target, pair)
    return target


def _ordered(pairs: Any = ()) -> Ordered:
    return ordered(pairs, Ordered())


def _encode(text: Any, encoding: Any) -> bytes:
    permit(encoding == "latin1", f"the codec {shown(encoding)}")
    encoded: bytes = text.encode("latin-1")
    return encoded


def _tuple(items: Any = ()) -> tuple[Any, ...]:
    permit(type(items) in (list, tuple, set), f"a tuple of a {type(items).__name__}")
    return tuple(items)


def _set(items: Any = ()) -> Any:
    return add(set(), _tuple(items))


def _complex(real: Any, imaginary: Any) -> complex:
    require(
        type(real) is float and type(imaginary) is float,
        "a complex number that is not made of two numbers",
    )
    return complex(real, imaginary)


# Modules whose functions can do harm. Names of other packages are inert; of these modules only the names below are.
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
    """Whether a name that a pickle asks for can be represented by `Inert`, because it has no meaning for weights.

    Such are the data classes of Python and torch, the modules, optimizers and schedules of torch, numpy's random
    generators, and all names of other packages: settings that training scripts save beside the weights. All other
    names are refused: a file that asks for `os.system` is not a file of weights.
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
    "builtins.bytes": lambda: b"",  # how it writes no bytes
    "builtins.set": _set,
    "builtins.tuple": _tuple,  # how paddle.save writes a single tensor
    "builtins.complex": _complex,
}
