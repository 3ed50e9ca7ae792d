"""Operators of oneDNN for one shape each: made once, then kept for the next step.

Activations are [N, H, W, C] in memory. Weights and statistics are float32 in Paddle's layouts.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import paddle
from paddle import Tensor, _C_ops

from ppcls.kernels import library as dnnl
from ppcls.kernels.library import Handle, Library, Primitive

# More than the shapes of any model here at two input sizes; the one not used for longest goes first.
CAPACITY = 4096
Plan = TypeVar("Plan")


def cached(make: Callable[..., Plan]) -> Callable[..., Plan]:
    """Keep what a function makes, by its arguments."""
    return functools.lru_cache(maxsize=CAPACITY)(make)


_CPU = paddle.CPUPlace()
# Types with their bytes and what NumPy calls them; it has no bfloat16, and Paddle takes its uint16 for that
_ELEMENTS: dict[Any, tuple[int, Any]] = {
    paddle.float32: (4, np.float32),
    paddle.bfloat16: (2, np.uint16),
    paddle.uint8: (1, np.uint8),
}
_LARGE = 1 << 18  # bytes
_CACHE_LINE = 64


def empty(shape: list[int], dtype: Any) -> Tensor:
    """Return an uninitialised tensor, as `paddle.empty(shape, dtype)` does but without its checks.

    The checks take longer than most operators of a small network. Large tensors use memory from NumPy: Paddle asks for
    memory that begins on a page, and glibc cannot use such a block again for a tensor of the same size. Training needs
    less memory so (docs/speed.md).
    """
    size, element = _ELEMENTS[dtype]
    size *= math.prod(shape)
    if size < _LARGE:
        return _C_ops.empty(shape, dtype, _CPU)
    block = np.empty(size + _CACHE_LINE, np.uint8)
    begin = -block.ctypes.data % _CACHE_LINE
    values = block[begin : begin + size].view(element).reshape(shape)
    # Not through the tensor's constructor, which leaks 50 bytes a call
    tensor = _C_ops.empty([0], dtype, _CPU)
    tensor.get_tensor().set(values, _CPU, True)
    return tensor


def like(x: Tensor) -> Tensor:
    """Return memory of the shape and type of a tensor."""
    return empty(x.shape, x.dtype)


def raw(size: int) -> Tensor:
    """Return memory of so many bytes."""
    return empty([size], paddle.uint8)


@functools.lru_cache(maxsize=64)
def _constant(value: float) -> Tensor:
    return paddle.to_tensor(value, "float32", place=_CPU)


def move_towards(values: Tensor, target: Tensor, share: float) -> None:
    """Change `values` in place by a share of their distance from `target`; all are float32."""
    move: Any = _C_ops.lerp_  # type: ignore[attr-defined]  # missing in Paddle's stub
    move(values, target, _constant(share))


class Adapter:
    """Copies a tensor to another layout; nothing where it has that layout already."""

    def __init__(self, source: Handle, target: Handle) -> None:
        library = Library.load()
        self._sizes = library.size(source), library.size(target)
        self.is_needed = not library.equal(source, target)
        self._copy = dnnl.reorder(source, target) if self.is_needed else None

    def __call__(self, tensor: Tensor) -> Tensor:
        """Return the tensor itself, or a copy in the target's layout as bytes."""
        if self._copy is None:
            return tensor
        copied = raw(self._sizes[1])
        self._copy(tensor, copied)
        return copied

    def place_for(self, result: Tensor) -> Tensor:
        """Return where to write what `finish` copies to `result`: that itself where no copy is needed."""
        return result if self._copy is None else raw(self._sizes[0])

    def finish(self, written: Tensor, result: Tensor) -> None:
        """Copy what was written to the result."""
        if self._copy is not None:
            self._copy(written, result)


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

    @functools.cached_property
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
    def to_weight(self) -> tuple[Primitive, Adapter | Diagonal]:
        """From input and gradient of the result to the gradients of weight and bias; with the weight's adapter."""
        together = groups_together(self.shape)
        if together > 1:
            fewer = replace(self.shape, groups=self.shape.groups // together)
            primitive, adapter = convolution(fewer).to_weight
            assert isinstance(adapter, Adapter)
            return primitive, Diagonal(adapter, fewer, together)
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
        return Primitive(descriptor, arguments), Adapter(weight, self._own_weight)


def groups_together(shape: ConvolutionShape) -> int:
    """Return how many groups are computed as one for the weight's gradient.

    oneDNN's kernel takes as long for a group of 2 or 4 channels as for one of 16. With 16 in a group a quarter of the
    time is left, although what lies off the diagonal is computed for nothing.
    """
    channels = max(shape.source[1], shape.out_channels) // shape.groups
    if shape.groups == 1 or channels > 4:
        return 1
    return max(n for n in range(1, 16 // channels + 1) if shape.groups % n == 0)


class Diagonal:
    """Takes the gradients of a weight's groups from those that were computed with several groups as one.

    Args:
        plain: To the layout of `fewer.weight` in Paddle's order.
        fewer: The convolution with fewer groups.
        together: Groups in each of its.
    """

    def __init__(self, plain: Adapter, fewer: ConvolutionShape, together: int) -> None:
        outputs, inputs = fewer.out_channels, fewer.source[1]
        blocks = (fewer.groups, outputs // fewer.groups, inputs // fewer.groups)
        window = math.prod(fewer.kernel)
        self._plain, self._shape = plain, [*blocks, window]
        whole = dnnl.row_major(self._shape)
        rows, columns = blocks[1] // together, blocks[2] // together
        result = dnnl.row_major((fewer.groups, blocks[1], columns, window))
        box = (fewer.groups, rows, columns, window)
        self._take = []
        for index in range(together):
            source = dnnl.part_of(whole, box, (0, index * rows, index * columns, 0))
            target = dnnl.part_of(result, box, (0, index * rows, 0, 0))
            self._take.append(dnnl.reorder(source, target))

    def place_for(self, result: Tensor) -> Tensor:
        """Return where to write what `finish` copies to `result`."""
        if self._plain.is_needed:
            return self._plain.place_for(result)
        return empty(self._shape, result.dtype)

    def finish(self, written: Tensor, result: Tensor) -> None:
        """Copy the groups of what was written to the result."""
        whole = written
        if self._plain.is_needed:
            whole = empty(self._shape, result.dtype)
            self._plain.finish(written, whole)
        for take in self._take:
            take(whole, result)


class BatchNorm:
    """Batch norm over a batch, or by given statistics, with a ReLU behind it if `relu`.

    Channels that lie last are normalised by compiled code if there are 16 of them or a multiple, sometimes 8. For other
    numbers oneDNN has a loop that takes up to seventy times as long, so they are copied to blocks of 16 and back.
    """

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
        flags = dnnl.USE_SCALE | dnnl.USE_SHIFT
        if relu:
            flags |= dnnl.FUSE_RELU
        if given:
            flags |= dnnl.GLOBAL_STATISTICS
        kind = dnnl.FORWARD_TRAINING if gradients else dnnl.FORWARD_INFERENCE

        def described(x: Handle) -> Handle:
            return library.describe(
                "batch_normalization_forward",
                library.engine,
                kind,
                x,
                x,
                epsilon,
                flags,
                None,
            )

        last = x = dnnl.channels_last(shape, dtype)
        descriptor = described(x)
        if "jit" not in library.implementation(descriptor):
            x = dnnl.channels_in_blocks(shape, dtype)
            descriptor = described(x)
        self._enter, self._leave = Adapter(last, x), Adapter(x, last)
        vector = dnnl.row_major((shape[1],))
        parameters = [(dnnl.SCALE, vector), (dnnl.SHIFT, vector)]
        statistics = [(dnnl.MEAN, vector), (dnnl.VARIANCE, vector)]
        # One bit per value: whether the ReLU let it pass
        mask = []
        self.mask_size = 0
        if relu and gradients:
            workspace = library.part(descriptor, dnnl.QUERY_WORKSPACE)
            mask = [(dnnl.WORKSPACE, workspace)]
            self.mask_size = library.size(workspace)
        self._forward = Primitive(
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
        self._backward = Primitive(
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

    def forward(self, x: Tensor, y: Tensor, *vectors: Tensor) -> None:
        """Write the result `y` by scale, shift, mean and variance, which it writes unless given, and the mask."""
        written = self._leave.place_for(y)
        self._forward(self._enter(x), written, *vectors)
        self._leave.finish(written, y)

    def backward(
        self, x: Tensor, gradient: Tensor, to_input: Tensor, *vectors: Tensor
    ) -> None:
        """Write the input's gradient by scale, mean and variance, and those of scale and shift; then the mask."""
        written = self._leave.place_for(to_input)
        self._backward(self._enter(x), self._enter(gradient), written, *vectors)
        self._leave.finish(written, to_input)


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
        # As pictures, whose parts oneDNN copies by compiled code; those of a matrix, and a join, by a loop
        whole = dnnl.channels_last((1, sum(channels), rows, 1), dtype)
        self._put: list[Primitive] = []
        self.take: list[Primitive] = []
        before = 0
        for count in channels:
            part = dnnl.channels_last((1, count, rows, 1), dtype)
            place = dnnl.part_of(whole, (1, count, rows, 1), (0, before, 0, 0))
            self._put.append(dnnl.reorder(part, place))
            self.take.append(dnnl.reorder(place, part))
            before += count

    def join(self, parts: Sequence[Tensor], whole: Tensor) -> None:
        """Write the parts side by side."""
        for put, part in zip(self._put, parts):
            put(part, whole)


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
