"""Bindings of oneDNN's C interface, by ctypes, to the library that Paddle's wheel contains.

The names and numbers are those of oneDNN 3 (include/oneapi/dnnl/dnnl.h and dnnl_types.h), which keeps them within a
major version. Nothing is loaded before `Library.load`.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Sequence
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

from ppcls.utils import cpu
from ppcls.utils.load_paddle import load_paddle

MAJOR = 3

# dnnl_data_type_t
BFLOAT16, FLOAT32 = 2, 3
# dnnl_format_tag_t: the library chooses; pictures in blocks of 16 channels
ANY, BLOCKS_OF_16 = 1, 78
# dnnl_prop_kind_t
FORWARD_TRAINING, FORWARD_INFERENCE, BACKWARD = 64, 96, 128
# dnnl_alg_kind_t
CONVOLUTION_DIRECT = 1
RELU = 32
RELU_FROM_RESULT = 256
POOL_MAX, POOL_AVERAGE_PADDED, POOL_AVERAGE = 511, 767, 1023
ADD, MULTIPLY = 131056, 131057
# dnnl_normalization_flags_t
GLOBAL_STATISTICS, USE_SCALE, USE_SHIFT, FUSE_RELU = 1, 2, 4, 8
# Arguments of an execution
SRC, SRC_1, DST, WEIGHTS, BIAS = 1, 2, 17, 33, 41
MEAN, VARIANCE, SCALE, SHIFT, WORKSPACE = 49, 50, 51, 52, 64
DIFF_SRC, DIFF_DST, DIFF_WEIGHTS, DIFF_BIAS = 129, 145, 161, 169
DIFF_SCALE, DIFF_SHIFT = 255, 256
# dnnl_query_t
QUERY_IMPLEMENTATION = 8
QUERY_WEIGHTS, QUERY_DIFF_WEIGHTS = 131, 132
QUERY_WORKSPACE = 135

_MAX_DIMS = 12
_Dims = c_int64 * _MAX_DIMS
_DIMS = POINTER(c_int64)
_OUT = POINTER(c_void_p)
_CPU = 1
_IN_ORDER = 1

# The functions by name, without the leading `dnnl_`, with their arguments. All return a status, 0 for success.
_FUNCTIONS: dict[str, list[Any]] = {
    "engine_create": [_OUT, c_int, c_size_t],
    "stream_create": [_OUT, c_void_p, ctypes.c_uint],
    "memory_desc_create_with_tag": [_OUT, c_int, _DIMS, c_int, c_int],
    "memory_desc_create_with_strides": [_OUT, c_int, _DIMS, c_int, _DIMS],
    "memory_desc_create_submemory": [_OUT, c_void_p, _DIMS, _DIMS],
    "memory_desc_destroy": [c_void_p],
    "memory_create": [_OUT, c_void_p, c_void_p, c_void_p],
    "memory_set_data_handle": [c_void_p, c_void_p],
    "memory_destroy": [c_void_p],
    "primitive_create": [_OUT, c_void_p],
    "primitive_execute": [c_void_p, c_void_p, c_int, c_void_p],
    "primitive_destroy": [c_void_p],
    "primitive_desc_query": [c_void_p, c_int, c_int, c_void_p],
    "primitive_desc_destroy": [c_void_p],
    "primitive_attr_create": [_OUT],
    "primitive_attr_set_post_ops": [c_void_p, c_void_p],
    "primitive_attr_destroy": [c_void_p],
    "post_ops_create": [_OUT],
    "post_ops_append_eltwise": [c_void_p, c_int, c_float, c_float],
    "post_ops_destroy": [c_void_p],
    "reorder_primitive_desc_create": [_OUT] + [c_void_p] * 5,
    "convolution_forward_primitive_desc_create": (
        [_OUT, c_void_p, c_int, c_int] + [c_void_p] * 4 + [_DIMS] * 4 + [c_void_p]
    ),
    "convolution_backward_data_primitive_desc_create": (
        [_OUT, c_void_p, c_int] + [c_void_p] * 3 + [_DIMS] * 4 + [c_void_p] * 2
    ),
    "convolution_backward_weights_primitive_desc_create": (
        [_OUT, c_void_p, c_int] + [c_void_p] * 4 + [_DIMS] * 4 + [c_void_p] * 2
    ),
    "batch_normalization_forward_primitive_desc_create": (
        [_OUT, c_void_p, c_int] + [c_void_p] * 2 + [c_float, ctypes.c_uint, c_void_p]
    ),
    "batch_normalization_backward_primitive_desc_create": (
        [_OUT, c_void_p, c_int]
        + [c_void_p] * 3
        + [c_float, ctypes.c_uint, c_void_p, c_void_p]
    ),
    "pooling_forward_primitive_desc_create": (
        [_OUT, c_void_p, c_int, c_int] + [c_void_p] * 2 + [_DIMS] * 5 + [c_void_p]
    ),
    "pooling_backward_primitive_desc_create": (
        [_OUT, c_void_p, c_int] + [c_void_p] * 2 + [_DIMS] * 5 + [c_void_p] * 2
    ),
    "eltwise_forward_primitive_desc_create": (
        [_OUT, c_void_p, c_int, c_int] + [c_void_p] * 2 + [c_float, c_float, c_void_p]
    ),
    "eltwise_backward_primitive_desc_create": (
        [_OUT, c_void_p, c_int]
        + [c_void_p] * 3
        + [c_float, c_float, c_void_p, c_void_p]
    ),
    "binary_primitive_desc_create": [_OUT, c_void_p, c_int] + [c_void_p] * 4,
}


class KernelError(RuntimeError):
    """The library is missing, of another version, or refuses an operator."""


def _refusal(name: str, status: int) -> KernelError:
    return KernelError(f"oneDNN's {name} returned the status {status}")


class _Version(ctypes.Structure):
    """The beginning of dnnl_version_t."""

    _fields_ = [("major", c_int), ("minor", c_int), ("patch", c_int)]


class _Argument(ctypes.Structure):
    """dnnl_exec_arg_t."""

    _fields_ = [("arg", c_int), ("memory", c_void_p)]


class Handle:
    """An object of the library, which is destroyed with this one.

    Args:
        pointer: Its address.
        destroy: The function that destroys it; None for a part of `owner`.
        owner: What must live as long.
    """

    def __init__(self, pointer: int, destroy: Any = None, owner: Any = None) -> None:
        self.address, self._as_parameter_ = pointer, c_void_p(pointer)
        self._destroy, self._owner = destroy, owner

    def __del__(self) -> None:
        if self._destroy is not None:
            self._destroy(self._as_parameter_)


class Library:
    """The loaded library with its engine for the CPU and one stream.

    Args:
        path: The library.
        openmp: The OpenMP library that it computes with.

    Raises:
        KernelError: one of them cannot be loaded, or the version is another one.
    """

    def __init__(self, path: Path, openmp: Path) -> None:
        try:
            self._library = ctypes.CDLL(str(path))
            self._openmp = ctypes.CDLL(str(openmp))
        except OSError as error:
            raise KernelError(f"{path} cannot be loaded: {error}") from error
        for name, arguments in _FUNCTIONS.items():
            function = getattr(self._library, f"dnnl_{name}")
            function.argtypes, function.restype = arguments, c_int
        self._library.dnnl_version.restype = POINTER(_Version)
        version = self._library.dnnl_version().contents
        self.version = f"{version.major}.{version.minor}.{version.patch}"
        if version.major != MAJOR:
            raise KernelError(f"{path} is oneDNN {self.version}, not {MAJOR}")
        query = self._library.dnnl_primitive_desc_query_md
        query.argtypes, query.restype = [c_void_p, c_int, c_int], c_void_p
        size = self._library.dnnl_memory_desc_get_size
        size.argtypes, size.restype = [c_void_p], c_size_t
        equal = self._library.dnnl_memory_desc_equal
        equal.argtypes, equal.restype = [c_void_p, c_void_p], c_int
        self.set_data_handle = self._library.dnnl_memory_set_data_handle
        self.execute = self._library.dnnl_primitive_execute
        self.engine = self.make("engine_create", _CPU, 0)
        self.stream = self.make("stream_create", self.engine, _IN_ORDER)
        # A primitive's memory objects and the library's scratch memory are shared
        self.lock = threading.Lock()

    @staticmethod
    @functools.lru_cache(maxsize=1)
    def load() -> Library:
        """Return the library of Paddle's wheel.

        Raises:
            KernelError: it is not there, or is of another major version.
        """
        folder = Path(load_paddle().__file__ or "").parent / "libs"
        cpu.keep_freed_memory()
        return Library(folder / f"libdnnl.so.{MAJOR}", folder / "libiomp5.so")

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the library.

        Raises:
            KernelError: it returns another status than success.
        """
        status = getattr(self._library, f"dnnl_{name}")(*arguments)
        if status:
            raise _refusal(name, status)

    def make(self, name: str, *arguments: Any, destroy: str | None = None) -> Handle:
        """Call a function that writes a new object to its first argument."""
        pointer = c_void_p()
        self.call(name, byref(pointer), *arguments)
        assert pointer.value is not None
        function = getattr(self._library, f"dnnl_{destroy}") if destroy else None
        return Handle(pointer.value, function, self)

    def describe(self, name: str, *arguments: Any) -> Handle:
        """Make a primitive descriptor by the function `name`_primitive_desc_create."""
        # A primitive waits for as many threads as OpenMP promises when it is made. OpenMP promises more than it gives
        # where a program, such as Paddle's predictor, asked for more than OMP_THREAD_LIMIT allows.
        limit = self._openmp.omp_get_thread_limit()
        if self._openmp.omp_get_max_threads() > limit:
            self._openmp.omp_set_num_threads(limit)
        return self.make(
            f"{name}_primitive_desc_create",
            *arguments,
            destroy="primitive_desc_destroy",
        )

    def part(self, descriptor: Handle, what: int) -> Handle:
        """Return a memory descriptor of a primitive descriptor."""
        pointer = self._library.dnnl_primitive_desc_query_md(descriptor, what, 0)
        return Handle(pointer, owner=descriptor)

    def size(self, memory: Handle) -> int:
        """Return the bytes that a memory descriptor needs."""
        return self._library.dnnl_memory_desc_get_size(memory)

    def equal(self, one: Handle, other: Handle) -> bool:
        """Return whether two memory descriptors describe the same."""
        return bool(self._library.dnnl_memory_desc_equal(one, other))

    def implementation(self, descriptor: Handle) -> str:
        """Return the name of the kernel that a primitive descriptor uses."""
        text = c_char_p()
        self.call(
            "primitive_desc_query", descriptor, QUERY_IMPLEMENTATION, 0, byref(text)
        )
        return (text.value or b"").decode()


def dims(*values: int) -> Any:
    """Return numbers as the library takes shapes, strides and paddings."""
    return _Dims(*values)


def strided(shape: Sequence[int], strides: Sequence[int], dtype: int) -> Handle:
    """Describe memory by its strides, in elements."""
    return Library.load().make(
        "memory_desc_create_with_strides",
        len(shape),
        dims(*shape),
        dtype,
        dims(*strides),
        destroy="memory_desc_destroy",
    )


def row_major(shape: Sequence[int], dtype: int = FLOAT32) -> Handle:
    """Describe memory whose last dimension is the nearest."""
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    return strided(shape, strides, dtype)


def channels_last(shape: Sequence[int], dtype: int) -> Handle:
    """Describe a picture batch [N, C, H, W] that lies in memory as [N, H, W, C]."""
    _, channels, height, width = shape
    return strided(
        shape, (height * width * channels, 1, width * channels, channels), dtype
    )


def chosen_by_library(shape: Sequence[int], dtype: int) -> Handle:
    """Describe memory whose layout the primitive chooses."""
    return _tagged(shape, dtype, ANY)


def channels_in_blocks(shape: Sequence[int], dtype: int) -> Handle:
    """Describe a picture batch [N, C, H, W] that lies as [N, C / 16, H, W, 16], filled up with zeros."""
    return _tagged(shape, dtype, BLOCKS_OF_16)


def _tagged(shape: Sequence[int], dtype: int, tag: int) -> Handle:
    return Library.load().make(
        "memory_desc_create_with_tag",
        len(shape),
        dims(*shape),
        dtype,
        tag,
        destroy="memory_desc_destroy",
    )


def part_of(whole: Handle, shape: Sequence[int], begin: Sequence[int]) -> Handle:
    """Describe a box of some memory, by its shape and its first position."""
    return Library.load().make(
        "memory_desc_create_submemory",
        whole,
        dims(*shape),
        dims(*begin),
        destroy="memory_desc_destroy",
    )


def rectifying() -> Handle:
    """Make the attributes of an operator that rectifies its result."""
    library = Library.load()
    operations = library.make("post_ops_create", destroy="post_ops_destroy")
    library.call("post_ops_append_eltwise", operations, RELU, 0.0, 0.0)
    attributes = library.make("primitive_attr_create", destroy="primitive_attr_destroy")
    library.call("primitive_attr_set_post_ops", attributes, operations)
    return attributes


class Primitive:
    """An operator of one shape.

    Args:
        descriptor: Its primitive descriptor.
        arguments: What it reads and writes: the kind of each argument and its memory descriptor.
    """

    def __init__(
        self, descriptor: Handle, arguments: Sequence[tuple[int, Handle]]
    ) -> None:
        library = Library.load()
        self.implementation = library.implementation(descriptor)
        self._primitive = library.make(
            "primitive_create", descriptor, destroy="primitive_destroy"
        )
        self._memories = []
        for _, described in arguments:
            memory = library.make(
                "memory_create",
                described,
                library.engine,
                None,
                destroy="memory_destroy",
            )
            self._memories.append(memory)
        self._arguments = (_Argument * len(arguments))()
        for slot, (kind, _), memory in zip(self._arguments, arguments, self._memories):
            slot.arg, slot.memory = kind, memory._as_parameter_
        self._library = library
        # A step of a network runs a thousand primitives: what a call needs is looked up once
        self._lock = library.lock
        self._set_data, self._execute = library.set_data_handle, library.execute
        self._addresses = [memory.address for memory in self._memories]
        self._execution = (
            self._primitive.address,
            library.stream.address,
            len(arguments),
            self._arguments,
        )

    def __call__(self, *tensors: Any) -> None:
        """Run on tensors in the order of the arguments; they must live until it returns, as the caller's do."""
        assert len(tensors) == len(self._addresses)
        with self._lock:
            for address, tensor in zip(self._addresses, tensors):
                self._set_data(address, tensor.data_ptr())
            status = self._execute(*self._execution)
        if status:
            raise _refusal("primitive_execute", status)


def reorder(source: Handle, target: Handle) -> Primitive:
    """Make the operator that copies one layout or type to another."""
    library = Library.load()
    descriptor = library.describe(
        "reorder", source, library.engine, target, library.engine, None
    )
    return Primitive(descriptor, [(SRC, source), (DST, target)])
