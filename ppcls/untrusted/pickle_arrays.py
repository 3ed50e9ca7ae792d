"""Stand-ins for what numpy pickles: arrays, numbers and their types. Nothing of numpy's own reconstruction runs."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ppcls.untrusted.limits import Meter, are_counts
from ppcls.untrusted.npz import float32_size, native
from ppcls.untrusted.pickle_stand_ins import Allowed, Changeable, Names, StandIn, never
from ppcls.untrusted.refusals import permit, require, shown

# Names of dtypes; objects, records and everything with pointers stay out
_NAME = re.compile("[biufcSU][0-9]{1,10}")
_ORDERS = ("C", "F", "K")


class _Dtype(Changeable):
    """Stands for a dtype of numbers or text."""

    __slots__ = ("dtype",)

    def __init__(
        self, name: object, align: object = False, copy: object = False
    ) -> None:
        permit(
            isinstance(name, str) and _NAME.fullmatch(name),
            f"arrays of type {shown(name)!r}",
        )
        self.dtype = np.dtype(str(name))

    def set_state(self, state: Any) -> None:
        _, order, subtype, names, fields = state[:5]
        permit(
            subtype is None and names is None and fields is None, "arrays of records"
        )
        require(order in ("<", ">", "=", "|"), f"a byte order of {shown(order)!r}")
        self.dtype = self.dtype.newbyteorder(order)


class _Array(StandIn):
    """Stands for an array, of which the file gives bytes, dtype, shape, order and perhaps an order of the axes."""

    __slots__ = ("parts", "value")

    def __init__(self, *parts: Any) -> None:
        self.parts = parts
        self.value: Any = None

    def set_state(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        self.parts = (content, dtype, shape, "F" if fortran else "C")

    def finish(self, meter: Meter) -> Any:
        """Returns the array, in memory of its own; the same one each time, which each time counts as made.

        Whoever gets an array under many names may copy it for each of them.
        """
        if self.value is None:
            require(bool(self.parts), "an array without contents")
            self.value = _array(meter, *self.parts)
            self.parts = ()  # whose bytes are no longer needed
        else:
            meter.claim(float32_size(self.value))
        return self.value


class _Scalar(_Array):
    """Stands for a numpy number."""

    __slots__ = ()

    def finish(self, meter: Meter) -> Any:
        return super().finish(meter)[()]


def _array(
    meter: Meter, content: Any, dtype: Any, shape: Any, order: Any, axes: Any = None
) -> np.ndarray:
    permit(
        isinstance(dtype, _Dtype) and isinstance(content, (bytes, bytearray)),
        "an array that is not made of bytes",
    )
    flat = np.frombuffer(content, dtype.dtype)
    meter.claim(float32_size(flat))
    if axes is None:
        array = flat.reshape(_sizes(shape), order=order)
    else:
        array = flat.reshape(_sizes(shape)).transpose(_sizes(axes))
    # Both copy, the first only where the byte order is another one
    array = native(array)
    return array.copy("K") if array.base is not None else array


def _sizes(numbers: Any) -> tuple[int, ...]:
    require(
        isinstance(numbers, tuple) and are_counts(numbers),
        "an array whose shape is not made of sizes",
    )
    return numbers


def _reconstruct(subtype: object, shape: object, dtype: object) -> _Array:
    permit(
        isinstance(subtype, Allowed) and subtype.name == "ndarray",
        "a subclass of an array",
    )
    return _Array()


def _frombuffer(
    content: Any, dtype: Any, shape: Any, order: Any, axes: Any = None
) -> _Array:
    require(order in _ORDERS, "an array in an unknown order")
    return _Array(content, dtype, shape, order, axes)


def _scalar(dtype: Any, content: Any) -> _Array:
    return _Scalar(content, dtype, (), "C")


NUMPY_NAMES: Names = {
    "numpy.ndarray": never("a bare numpy.ndarray"),
    "numpy.dtype": _Dtype,
    "numpy.multiarray._reconstruct": _reconstruct,
    "numpy.multiarray.scalar": _scalar,
    "numpy.numeric._frombuffer": _frombuffer,
}
