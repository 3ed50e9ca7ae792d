"""Operators of oneDNN for one shape each: made once, then kept for the next step.

Activations are [N, H, W, C] in memory. Weights and statistics are float32 in Paddle's layouts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import paddle
from paddle import Tensor

from ppcls.kernels import library as dnnl
from ppcls.kernels.library import Handle, Library, Primitive

# More than the shapes of any model here at two input sizes; the one not used for longest goes first.
CAPACITY = 4096
Plan = TypeVar("Plan")


def cached(make: Callable[..., Plan]) -> Callable[..., Plan]:
    """Keep what a function makes, by its arguments."""
    return functools.lru_cache(maxsize=CAPACITY)(make)


def raw(size: int) -> Tensor:
    """Return memory of so many bytes."""
    return paddle.empty([size], "uint8")


class Adapter:
    """Copies a tensor to the layout that a primitive wants; nothing where it has that layout already."""

    def __init__(self, source: Handle, target: Handle) -> None:
        library = Library.load()
        self.is_needed = not library.equal(source, target)
        self.size = library.size(target)
        self._copy = dnnl.reorder(source, target) if self.is_needed else None

    def __call__(self, tensor: Tensor) -> Tensor:
        """Return the tensor itself, or a copy in the target's layout as bytes."""
        if self._copy is None:
            return tensor
        copied = raw(self.size)
        self._copy(tensor, copied)
        return copied

    def into(self, tensor: Tensor, target: Tensor) -> None:
        """Copy to memory that is there."""
        assert self._copy is not None
        self._copy(tensor, target)


@dataclass(frozen=True)
class ConvolutionShape:
    """What a convolution's operators depend on.

    Attributes:
        source: N, C, H, W of the input.
        out_channels: Channels of the result.
        kernel: Height and width of the window.
        stride: Steps of the window, down and to the right.
        padding: Rows above and below, columns left and right.
        dilation: Distances between the window's positions.
        groups: Groups of channels.
        bias: Whether a bias is added.
        dtype: Type of input and result.
        relu: Whether the result is rectified.
    """

    source: tuple[int, int, int, int]
    out_channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    bias: bool
    dtype: int
    relu: bool = False

    @property
    def result(self) -> tuple[int, int, int, int]:
        """N, C, H, W of the result."""
        sides = []
        for axis in (0, 1):
            window = self.dilation[axis] * (self.kernel[axis] - 1) + 1
            space = self.source[2 + axis] + 2 * self.padding[axis] - window
            sides.append(space // self.stride[axis] + 1)
        return (self.source[0], self.out_channels, sides[0], sides[1])

    @property
    def weight(self) -> tuple[int, ...]:
        """The weight's shape as oneDNN has it: groups are a dimension of their own."""
        outputs, inputs = self.out_channels, self.source[1]
        if self.groups == 1:
            return (outputs, inputs, *self.kernel)
        return (
            self.groups,
            outputs // self.groups,
            inputs // self.groups,
            *self.kernel,
        )


class Convolution:
    """Forward and backward operators of a convolution. The backward ones are made when they are first used."""

    def __init__(self, shape: ConvolutionShape) -> None:
        library = Library.load()
        self.shape = shape
        self._x = dnnl.channels_last(shape.source, shape.dtype)
        self._y = dnnl.channels_last(shape.result, shape.dtype)
        self._any_weight = dnnl.chosen_by_library(shape.weight, shape.dtype)
        self._own_weight = dnnl.row_major(shape.weight)
        self._bias = dnnl.row_major((shape.out_channels,)) if shape.bias else None
        self._geometry = (
            dnnl.dims(*shape.stride),
            dnnl.dims(*(step - 1 for step in shape.dilation)),
            dnnl.dims(*shape.padding),
            dnnl.dims(*shape.padding),
        )
        self._descriptor = library.describe(
            "convolution_forward",
            library.engine,
            dnnl.FORWARD_TRAINING,
            dnnl.CONVOLUTION_DIRECT,
            self._x,
            self._any_weight,
            self._bias,
            self._y,
            *self._geometry,
            dnnl.rectifying() if shape.relu else None,
        )
        weight = library.part(self._descriptor, dnnl.QUERY_WEIGHTS)
        self.weight = Adapter(self._own_weight, weight)
        arguments = [(dnnl.SRC, self._x), (dnnl.WEIGHTS, weight), (dnnl.DST, self._y)]
        if self._bias is not None:
            arguments.append((dnnl.BIAS, self._bias))
        self.forward = Primitive(self._descriptor, arguments)

    @functools.cached_property
    def to_input(self) -> tuple[Primitive, Adapter]:
        """From the gradient of the result and the weight to that of the input; and the weight's adapter."""
        library = Library.load()
        descriptor = library.describe(
            "convolution_backward_data",
            library.engine,
            dnnl.CONVOLUTION_DIRECT,
            self._x,
            self._any_weight,
            self._y,
            *self._geometry,
            self._descriptor,
            None,
        )
        weight = library.part(descriptor, dnnl.QUERY_WEIGHTS)
        primitive = Primitive(
            descriptor,
            [
                (dnnl.DIFF_DST, self._y),
                (dnnl.WEIGHTS, weight),
                (dnnl.DIFF_SRC, self._x),
            ],
        )
        return primitive, Adapter(self._own_weight, weight)

    @functools.cached_property
    def to_weight(self) -> tuple[Primitive, Adapter, int]:
        """From input and gradient of the result to the gradients of weight and bias; with the weight's adapter."""
        library = Library.load()
        descriptor = library.describe(
            "convolution_backward_weights",
            library.engine,
            dnnl.CONVOLUTION_DIRECT,
            self._x,
            dnnl.chosen_by_library(self.shape.weight, dnnl.FLOAT32),
            self._bias,
            self._y,
            *self._geometry,
            self._descriptor,
            None,
        )
        weight = library.part(descriptor, dnnl.QUERY_DIFF_WEIGHTS)
        arguments = [
            (dnnl.SRC, self._x),
            (dnnl.DIFF_DST, self._y),
            (dnnl.DIFF_WEIGHTS, weight),
        ]
        if self._bias is not None:
            arguments.append((dnnl.DIFF_BIAS, self._bias))
        primitive = Primitive(descriptor, arguments)
        return primitive, Adapter(weight, self._own_weight), library.size(weight)


class BatchNorm:
    """Batch norm over a batch, or by given statistics, with a ReLU behind it if `relu`."""

    def __init__(
        self,
        shape: tuple[int, int, int, int],
        dtype: int,
        epsilon: float,
        relu: bool,
        given: bool,
        gradients: bool,
    ) -> None:
        library = Library.load()
        x, vector = dnnl.channels_last(shape, dtype), dnnl.row_major((shape[1],))
        flags = dnnl.USE_SCALE | dnnl.USE_SHIFT
        if relu:
            flags |= dnnl.FUSE_RELU
        if given:
            flags |= dnnl.GLOBAL_STATISTICS
        kind = dnnl.FORWARD_TRAINING if gradients else dnnl.FORWARD_INFERENCE
        descriptor = library.describe(
            "batch_normalization_forward",
            library.engine,
            kind,
            x,
            x,
            epsilon,
            flags,
            None,
        )
        parameters = [(dnnl.SCALE, vector), (dnnl.SHIFT, vector)]
        statistics = [(dnnl.MEAN, vector), (dnnl.VARIANCE, vector)]
        # One bit per value: whether the ReLU let it pass
        mask = []
        self.mask_size = 0
        if relu and gradients:
            workspace = library.part(descriptor, dnnl.QUERY_WORKSPACE)
            mask, self.mask_size = (
                [(dnnl.WORKSPACE, workspace)],
                library.size(workspace),
            )
        self.forward = Primitive(
            descriptor,
            [(dnnl.SRC, x), (dnnl.DST, x), *parameters, *statistics, *mask],
        )
        if not gradients:
            return
        backward = library.describe(
            "batch_normalization_backward",
            library.engine,
            dnnl.BACKWARD,
            x,
            x,
            x,
            epsilon,
            flags,
            descriptor,
            None,
        )
        self.backward = Primitive(
            backward,
            [
                (dnnl.SRC, x),
                (dnnl.DIFF_DST, x),
                (dnnl.DIFF_SRC, x),
                (dnnl.SCALE, vector),
                *statistics,
                (dnnl.DIFF_SCALE, vector),
                (dnnl.DIFF_SHIFT, vector),
                *mask,
            ],
        )


@dataclass(frozen=True)
class PoolShape:
    """What a pool's operators depend on.

    Attributes:
        source: N, C, H, W of the input.
        result: The same of the result.
        kernel: Height and width of the window.
        stride: Steps of the window.
        padding: Rows above and columns left of the picture.
        kind: POOL_MAX, POOL_AVERAGE or POOL_AVERAGE_PADDED, which counts the padding.
        dtype: Type of input and result.
    """

    source: tuple[int, int, int, int]
    result: tuple[int, int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    kind: int
    dtype: int


class Pool:
    """Forward and backward operators of a pool."""

    def __init__(self, shape: PoolShape, gradients: bool) -> None:
        library = Library.load()
        x = dnnl.channels_last(shape.source, shape.dtype)
        y = dnnl.channels_last(shape.result, shape.dtype)
        behind = []
        for axis in (0, 1):
            reached = (shape.result[2 + axis] - 1) * shape.stride[axis]
            reached += shape.kernel[axis]
            behind.append(reached - shape.source[2 + axis] - shape.padding[axis])
        geometry = (
            dnnl.dims(*shape.stride),
            dnnl.dims(*shape.kernel),
            dnnl.dims(0, 0),
            dnnl.dims(*shape.padding),
            dnnl.dims(*behind),
        )
        kind = dnnl.FORWARD_TRAINING if gradients else dnnl.FORWARD_INFERENCE
        descriptor = library.describe(
            "pooling_forward", library.engine, kind, shape.kind, x, y, *geometry, None
        )
        # Where each maximum came from
        origin = []
        self.origin_size = 0
        if shape.kind == dnnl.POOL_MAX and gradients:
            workspace = library.part(descriptor, dnnl.QUERY_WORKSPACE)
            origin = [(dnnl.WORKSPACE, workspace)]
            self.origin_size = library.size(workspace)
        self.forward = Primitive(descriptor, [(dnnl.SRC, x), (dnnl.DST, y), *origin])
        if not gradients:
            return
        backward = library.describe(
            "pooling_backward",
            library.engine,
            shape.kind,
            x,
            y,
            *geometry,
            descriptor,
            None,
        )
        self.backward = Primitive(
            backward, [(dnnl.DIFF_DST, y), (dnnl.DIFF_SRC, x), *origin]
        )


class Relu:
    """ReLU, a leaky one with a slope, of any number of values; its gradient comes from the result."""

    def __init__(self, count: int, dtype: int, slope: float) -> None:
        library = Library.load()
        values = dnnl.row_major((count,), dtype)
        descriptor = library.describe(
            "eltwise_forward",
            library.engine,
            dnnl.FORWARD_TRAINING,
            dnnl.RELU_FROM_RESULT,
            values,
            values,
            slope,
            0.0,
            None,
        )
        self.forward = Primitive(descriptor, [(dnnl.SRC, values), (dnnl.DST, values)])
        backward = library.describe(
            "eltwise_backward",
            library.engine,
            dnnl.RELU_FROM_RESULT,
            values,
            values,
            values,
            slope,
            0.0,
            descriptor,
            None,
        )
        self.backward = Primitive(
            backward,
            [(dnnl.DST, values), (dnnl.DIFF_DST, values), (dnnl.DIFF_SRC, values)],
        )


def sum_of_two(count: int, dtype: int, relu: bool) -> Primitive:
    """Make the sum of two tensors of so many values, rectified if `relu`."""
    library = Library.load()
    values = dnnl.row_major((count,), dtype)
    attributes = dnnl.rectifying() if relu else None
    descriptor = library.describe(
        "binary", library.engine, dnnl.ADD, values, values, values, attributes
    )
    return Primitive(
        descriptor, [(dnnl.SRC, values), (dnnl.SRC_1, values), (dnnl.DST, values)]
    )


class ChannelScale:
    """Multiplies each channel of a picture by a float32 factor."""

    def __init__(self, shape: tuple[int, int, int, int], dtype: int) -> None:
        library = Library.load()
        batch, channels = shape[:2]
        x = dnnl.channels_last(shape, dtype)
        products = dnnl.channels_last(shape, dnnl.FLOAT32)
        factors = dnnl.channels_last((batch, channels, 1, 1), dnnl.FLOAT32)
        descriptor = library.describe(
            "binary", library.engine, dnnl.MULTIPLY, x, factors, x, None
        )
        self.forward = Primitive(
            descriptor, [(dnnl.SRC, x), (dnnl.SRC_1, factors), (dnnl.DST, x)]
        )
        # The first factor has the type of the products: for others oneDNN has a reference alone
        descriptor = library.describe(
            "binary", library.engine, dnnl.MULTIPLY, products, x, products, None
        )
        self.multiply = Primitive(
            descriptor,
            [(dnnl.SRC, products), (dnnl.SRC_1, x), (dnnl.DST, products)],
        )


class Channels:
    """Joins tensors along their channels, and takes them apart again.

    Args:
        rows: Positions: N x H x W.
        channels: Channels of each part.
        dtype: Type of all of them.
    """

    def __init__(self, rows: int, channels: tuple[int, ...], dtype: int) -> None:
        library = Library.load()
        whole = dnnl.row_major((rows, sum(channels)), dtype)
        parts = [dnnl.row_major((rows, count), dtype) for count in channels]
        pointers = (dnnl.c_void_p * len(parts))()
        for index, part in enumerate(parts):
            pointers[index] = part._as_parameter_
        descriptor = library.describe(
            "concat", library.engine, whole, len(parts), 1, pointers, None
        )
        sources = [(dnnl.MULTIPLE_SRC + i, part) for i, part in enumerate(parts)]
        self.join = Primitive(descriptor, [*sources, (dnnl.DST, whole)])
        self.take: list[Primitive] = []
        before = 0
        for part, count in zip(parts, channels):
            place = library.make(
                "memory_desc_create_submemory",
                whole,
                dnnl.dims(rows, count),
                dnnl.dims(0, before),
                destroy="memory_desc_destroy",
            )
            self.take.append(dnnl.reorder(place, part))
            before += count


class Layouts:
    """Copies pictures [N, C, H, W] to memory with the channels last, and back."""

    def __init__(self, shape: tuple[int, int, int, int], dtype: int) -> None:
        first = dnnl.row_major(shape)
        last = dnnl.channels_last(shape, dtype)
        self.to_last, self.to_first = (
            dnnl.reorder(first, last),
            dnnl.reorder(last, first),
        )


convolution = cached(Convolution)
batch_norm = cached(BatchNorm)
pool = cached(Pool)
relu = cached(Relu)
added = cached(sum_of_two)
channel_scale = cached(ChannelScale)
channels = cached(Channels)
layouts = cached(Layouts)
