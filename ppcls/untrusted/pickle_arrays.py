"""Stand-ins for what numpy pickles: arrays, numbers and their types. Not even its own reconstruction runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppcls.untrusted.pickle_limits import Meter
from ppcls.untrusted.pickle_stand_ins import Admitted, Names, StandIn, never
from ppcls.untrusted.refusals import Damaged, Refused, shown

_KINDS = "biufcSU"  # of dtypes; objects, records and everything with pointers stay out


class _Dtype:
    """Stands for a dtype of numbers or text."""

    __slots__ = ("dtype",)

    def __init__(
        self, name: object, align: object = False, copy: object = False
    ) -> None:
        if not (isinstance(name, str) and name[:1] in _KINDS and name[1:].isdecimal()):
            raise Refused(f"arrays of type {shown(name)!r}")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, order, subtype, names, fields = state[:5]
        if subtype is not None or names is not None or fields is not None:
            raise Refused("arrays of records")
        if order not in ("<", ">", "=", "|"):
            raise Damaged(f"a byte order of {shown(order)!r}")
        self.dtype = self.dtype.newbyteorder(order)


class _Array(StandIn):
    """Stands for an array, of which the file gives bytes, dtype, shape, order and perhaps an order of the axes."""

    __slots__ = ("parts", "value")

    def __init__(self, *parts: Any) -> None:
        self.parts = parts
        self.value: Any = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, content = state
        self.parts = (content, dtype, shape, "F" if fortran else "C")

    def finish(self, meter: Meter) -> Any:
        """The array, in memory of its own; the same one however often it is asked for."""
        if self.value is None:
            if not self.parts:
                raise Damaged("an array without contents")
            # Whose bytes are no longer needed
            self.value, self.parts = _array(meter, *self.parts), ()
        return self.value


class _Scalar(_Array):
    """Stands for a numpy number."""

    __slots__ = ()

    def finish(self, meter: Meter) -> Any:
        return super().finish(meter)[()]


def _array(
    meter: Meter, content: Any, dtype: Any, shape: Any, order: Any, axes: Any = None
) -> np.ndarray:
    if not isinstance(dtype, _Dtype) or not isinstance(content, (bytes, bytearray)):
        raise Refused("an array that is not made of bytes")
    if not isinstance(shape, tuple) or any(
        type(side) is not int or side < 0 for side in shape
    ):
        raise Damaged("an array whose shape is not made of sizes")
    meter.claim(len(content))
    flat = np.frombuffer(content, dtype.dtype)
    array = (
        flat.reshape(shape, order=order)
        if axes is None
        else flat.reshape(shape).transpose(axes)
    )
    return array.copy("K")


def _reconstruct(subtype: object, shape: object, dtype: object) -> _Array:
    if not (isinstance(subtype, Admitted) and subtype.name == "ndarray"):
        raise Refused("a subclass of an array")
    return _Array()


def _frombuffer(
    content: Any, dtype: Any, shape: Any, order: Any, axes: Any = None
) -> _Array:
    if order not in ("C", "F", "K"):
        raise Damaged("an array in an unknown order")
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
