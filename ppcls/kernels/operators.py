"""Differentiable operators on activations [N, H, W, C]; `Tensor` here always means such a one unless it says more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import paddle
from paddle import Tensor
from paddle.autograd import PyLayer

from ppcls.kernels import library as dnnl
from ppcls.kernels import plans

Pair = tuple[int, int]


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    relu: bool = False,
) -> Tensor:
    """Convolve as `paddle.nn.functional.conv2d` does, then rectify if `relu`.

    The weight is float32 [out, in / groups, height, width], the bias float32 [out].
    """
    shape = plans.ConvolutionShape(
        _picture_shape(x),
        weight.shape[0],
        (weight.shape[2], weight.shape[3]),
        stride,
        padding,
        dilation,
        groups,
        bias is not None,
        _type(x),
        relu,
    )
    return _Convolution.apply(x, weight, bias, plans.convolution(shape))


def batch_norm(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    statistics: tuple[Tensor, Tensor],
    momentum: float | None,
    epsilon: float,
    relu: bool,
    shortcut: Tensor | None = None,
) -> Tensor:
    """Normalise, then add `shortcut` if one is given, then rectify if `relu`.

    Args:
        x: The input.
        weight: Scales, float32 [C].
        bias: Shifts, float32 [C].
        statistics: Running mean and variance, float32 [C].
        momentum: The share of the old running statistics in the new ones, which the batch's own update; None to
            normalise by the running statistics.
        epsilon: Is added to the variance.
        relu: Whether negative results become 0.
        shortcut: Has the shape of the input.
    """
    gradients = paddle.is_grad_enabled()
    plan = plans.batch_norm(
        _picture_shape(x),
        _type(x),
        epsilon,
        relu and shortcut is None,
        momentum is None,
        gradients,
    )
    if shortcut is None:
        return _BatchNorm.apply(x, weight, bias, plan, statistics, momentum, gradients)
    if not relu:
        normalised = _BatchNorm.apply(
            x, weight, bias, plan, statistics, momentum, gradients
        )
        return add(normalised, shortcut)
    return _BatchNormAddRelu.apply(
        x, weight, bias, shortcut, plan, statistics, momentum
    )


def relu(x: Tensor, slope: float = 0.0) -> Tensor:
    """Rectify; a slope above 0 is that of a leaky ReLU."""
    return _Relu.apply(x, slope)


def add(one: Tensor, other: Tensor, relu: bool = False) -> Tensor:
    """Add two tensors of one shape, then rectify if `relu`."""
    return _Add.apply(one, other, relu)


def fork(x: Tensor, readers: int) -> tuple[Tensor, ...]:
    """Return a tensor once for each of its readers, whose gradients are then added by oneDNN's operator.

    Paddle adds gradients that meet in one tensor by a loop over single values in bfloat16.
    """
    if x.stop_gradient or not paddle.is_grad_enabled():
        return (x,) * readers
    return _Fork.apply(x, readers)


def scale_channels(x: Tensor, factors: Tensor) -> Tensor:
    """Multiply the channels of [N, H, W, C] by float32 factors [N, C]."""
    return _ScaleChannels.apply(x, factors)


def pool(
    x: Tensor,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    kind: int,
) -> Tensor:
    """Pool windows; `kind` is one of `ppcls.kernels.library`'s POOL_... constants.

    With `ceil_mode` a window that the border cuts off counts, with what it has of the picture, if it begins within the
    picture or the padding before it.
    """
    batch, channels, *sides = _picture_shape(x)
    results = []
    for side, window, step, before in zip(sides, kernel, stride, padding):
        space = side + 2 * before - window
        if ceil_mode:
            space += step - 1
        results.append(space // step + 1)
    shape = plans.PoolShape(
        _picture_shape(x),
        (batch, channels, results[0], results[1]),
        kernel,
        stride,
        padding,
        kind,
        _type(x),
    )
    return _Pool.apply(x, plans.pool(shape, paddle.is_grad_enabled()), shape)


def concat(parts: Sequence[Tensor], relu: bool = False) -> Tensor:
    """Join along the channels, then rectify if `relu`."""
    if len(parts) > 1:
        return _Concat.apply(relu, *parts)
    return _Relu.apply(parts[0], 0.0) if relu else parts[0]


def split(x: Tensor, channels: Sequence[int]) -> list[Tensor]:
    """Take apart along the channels."""
    return list(_Split.apply(x, tuple(channels)))


def to_channels_last(x: Tensor, bfloat16: bool = False) -> Tensor:
    """Copy float32 [N, C, H, W] to float32, or `bfloat16`, [N, H, W, C]."""
    return _ToChannelsLast.apply(x, dnnl.BFLOAT16 if bfloat16 else dnnl.FLOAT32)


def to_channels_first(x: Tensor) -> Tensor:
    """Copy to float32 [N, C, H, W]."""
    return _ToChannelsFirst.apply(x)


def _picture_shape(x: Tensor) -> tuple[int, int, int, int]:
    batch, height, width, channels = x.shape
    return (batch, channels, height, width)


def _type(x: Tensor) -> int:
    return dnnl.BFLOAT16 if x.dtype == paddle.bfloat16 else dnnl.FLOAT32


_TYPES = {dnnl.FLOAT32: paddle.float32, dnnl.BFLOAT16: paddle.bfloat16}


def _dense(x: Tensor) -> Tensor:
    """Return the tensor, or a copy if it is a view with gaps or another order."""
    return x if x.is_contiguous() else x.contiguous()


def _incoming(gradient: Tensor) -> Tensor:
    """Return a gradient as the operators read it.

    Raises:
        NotImplementedError: it shall be differentiated again, which would give silent zeros.
    """
    if paddle.is_grad_enabled():
        raise NotImplementedError(
            "the operators of oneDNN have no second derivatives; set PPCLS_CPU_KERNELS=paddle to use Paddle's"
        )
    return _dense(gradient)


def _remember(ctx: Any, *inputs: Tensor) -> None:
    """Note which inputs want a gradient, for `_wanted`."""
    ctx.wanted = [not tensor.stop_gradient for tensor in inputs]


def _wanted(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
    """Return the gradients with None for inputs that want none, as Paddle demands."""
    returned = []
    for gradient, wanted in zip(gradients, ctx.wanted):
        returned.append(gradient if wanted else None)
    return tuple(returned)


class _Convolution(PyLayer):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, plan: Any
    ) -> Tensor:
        x = _dense(x)
        batch, channels, height, width = plan.shape.result
        y = plans.empty([batch, height, width, channels], x.dtype)
        biases = () if bias is None else (bias,)
        adapted = plan.weight(weight)
        plan.forward(x, adapted, y, *biases)
        ctx.plan, ctx.has_bias = plan, bias is not None
        _remember(ctx, x, weight, *biases)
        ctx.save_for_backward(x, weight, *([y] if plan.shape.relu else []))
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *rectified = ctx.saved_tensor()
        gradient = _incoming(gradient)
        if rectified:
            gradient = _behind_relu(rectified[0], gradient)
        wants_input, *wants_parameters = ctx.wanted
        to_input = to_weight = to_bias = None
        if any(wants_parameters):
            to_weight, to_bias = _to_parameters(ctx, x, weight, gradient)
        if wants_input:
            to_input = _to_input(ctx, x, weight, gradient)
        return _wanted(ctx, to_input, to_weight, to_bias)


# Functions of their own, because copies of the weight in other layouts end with them


def _to_parameters(
    ctx: Any, x: Tensor, weight: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor | None]:
    primitive, adapter = ctx.plan.to_weight
    to_weight = plans.empty(weight.shape, paddle.float32)
    to_bias = None
    written = adapter.place_for(to_weight)
    outputs = [written]
    if ctx.has_bias:
        to_bias = plans.empty([weight.shape[0]], paddle.float32)
        outputs.append(to_bias)
    primitive(x, gradient, *outputs)
    adapter.finish(written, to_weight)
    return to_weight, to_bias


def _to_input(ctx: Any, x: Tensor, weight: Tensor, gradient: Tensor) -> Tensor:
    primitive, adapter = ctx.plan.to_input
    to_input = plans.like(x)
    # `adapted` lives until the primitive has run
    adapted = adapter(weight)
    primitive(gradient, adapted, to_input)
    return to_input


def _behind_relu(y: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient of what a ReLU with the result `y` took."""
    passed = plans.like(y)
    plans.relu(math.prod(y.shape), _type(y), 0.0).backward(y, gradient, passed)
    return passed


def _normalise(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    plan: Any,
    statistics: tuple[Tensor, Tensor],
    momentum: float | None,
) -> tuple[Tensor, tuple[Tensor, Tensor], list[Tensor]]:
    """Return the result, the statistics that were used, and the mask of the ReLU."""
    y = plans.like(x)
    used = statistics
    if momentum is not None:
        used = (plans.like(statistics[0]), plans.like(statistics[1]))
    mask = [plans.raw(plan.mask_size)] if plan.mask_size else []
    plan.forward(x, y, weight, bias, *used, *mask)
    if momentum is not None:
        for running, batch in zip(statistics, used):
            plans.move_towards(running, batch, 1 - momentum)
    return y, used, mask


class _BatchNorm(PyLayer):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        plan: Any,
        statistics: tuple[Tensor, Tensor],
        momentum: float | None,
        gradients: bool,
    ) -> Tensor:
        x = _dense(x)
        y, used, mask = _normalise(x, weight, bias, plan, statistics, momentum)
        if gradients:
            ctx.plan = plan
            _remember(ctx, x, weight, bias)
            ctx.save_for_backward(x, weight, *used, *mask)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance, *mask = ctx.saved_tensor()
        to_input, to_weight, to_bias = (
            plans.like(x),
            plans.like(weight),
            plans.like(weight),
        )
        gradient = _incoming(gradient)
        ctx.plan.backward(
            x, gradient, to_input, weight, mean, variance, to_weight, to_bias, *mask
        )
        return _wanted(ctx, to_input, to_weight, to_bias)


class _BatchNormAddRelu(PyLayer):
    """One node for three operators: what stands between them need not be kept for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        shortcut: Tensor,
        plan: Any,
        statistics: tuple[Tensor, Tensor],
        momentum: float | None,
    ) -> Tensor:
        x, shortcut = _dense(x), _dense(shortcut)
        y, used, _ = _normalise(x, weight, bias, plan, statistics, momentum)
        count, dtype = math.prod(x.shape), _type(x)
        plans.added(count, dtype, True)(y, shortcut, y)
        ctx.plan = plan
        _remember(ctx, x, weight, bias, shortcut)
        ctx.save_for_backward(x, weight, *used, y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance, y = ctx.saved_tensor()
        to_shortcut = _behind_relu(y, _incoming(gradient))
        to_input, to_weight, to_bias = (
            plans.like(x),
            plans.like(weight),
            plans.like(weight),
        )
        ctx.plan.backward(
            x, to_shortcut, to_input, weight, mean, variance, to_weight, to_bias
        )
        return _wanted(ctx, to_input, to_weight, to_bias, to_shortcut)


class _Relu(PyLayer):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float) -> Tensor:
        x = _dense(x)
        y = plans.like(x)
        ctx.plan = plans.relu(math.prod(x.shape), _type(x), slope)
        ctx.plan.forward(x, y)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (y,) = ctx.saved_tensor()
        gradient = _incoming(gradient)
        to_input = plans.like(y)
        ctx.plan.backward(y, gradient, to_input)
        return to_input


class _Add(PyLayer):
    @staticmethod
    def forward(ctx: Any, one: Tensor, other: Tensor, relu: bool) -> Tensor:
        one, other = _dense(one), _dense(other)
        y = plans.like(one)
        plans.added(math.prod(one.shape), _type(one), relu)(one, other, y)
        _remember(ctx, one, other)
        ctx.relu = relu
        if relu:
            ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.relu:
            (y,) = ctx.saved_tensor()
            gradient = _behind_relu(y, _incoming(gradient))
        # Two tensors: Paddle may add to one of them in place
        return _wanted(ctx, gradient, gradient.clone())


class _Fork(PyLayer):
    @staticmethod
    def forward(ctx: Any, x: Tensor, readers: int) -> tuple[Tensor, ...]:
        results = []
        for _ in range(readers):
            # Paddle takes a result that is the input, or its `detach`, for a change in place
            same = plans.empty([0], x.dtype)
            same.get_tensor()._share_data_with(x.get_tensor())
            results.append(same)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total, *others = [_incoming(gradient) for gradient in gradients]
        add_up = plans.added(math.prod(total.shape), _type(total), False)
        for other in others:
            summed = plans.like(total)
            add_up(total, other, summed)
            total = summed
        return total


class _ScaleChannels(PyLayer):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factors: Tensor) -> Tensor:
        x = _dense(x)
        y = plans.like(x)
        ctx.plan = plans.channel_scale(_picture_shape(x), _type(x))
        ctx.plan.forward(x, factors, y)
        _remember(ctx, x, factors)
        ctx.save_for_backward(x, factors)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, factors = ctx.saved_tensor()
        gradient = _incoming(gradient)
        to_input, products = plans.like(x), plans.empty(x.shape, paddle.float32)
        ctx.plan.forward(gradient, factors, to_input)
        ctx.plan.multiply(x.astype("float32"), gradient, products)
        return _wanted(ctx, to_input, products.sum([1, 2]))


class _Pool(PyLayer):
    @staticmethod
    def forward(ctx: Any, x: Tensor, plan: Any, shape: plans.PoolShape) -> Tensor:
        x = _dense(x)
        batch, channels, height, width = shape.result
        y = plans.empty([batch, height, width, channels], x.dtype)
        origin = [plans.raw(plan.origin_size)] if plan.origin_size else []
        plan.forward(x, y, *origin)
        ctx.plan, ctx.origin, ctx.shape = plan, origin, x.shape
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gradient = _incoming(gradient)
        to_input = plans.empty(ctx.shape, gradient.dtype)
        ctx.plan.backward(gradient, to_input, *ctx.origin)
        return to_input


class _Concat(PyLayer):
    @staticmethod
    def forward(ctx: Any, relu: bool, *parts: Tensor) -> Tensor:
        dense = [_dense(part) for part in parts]
        counts = tuple(part.shape[-1] for part in dense)
        rows = math.prod(dense[0].shape[:-1])
        ctx.plan = plans.channels(rows, counts, _type(dense[0]))
        ctx.shapes = [part.shape for part in dense]
        _remember(ctx, *parts)
        y = plans.empty([*dense[0].shape[:-1], sum(counts)], dense[0].dtype)
        ctx.plan.join(dense, y)
        ctx.relu = relu
        if relu:
            plans.relu(math.prod(y.shape), _type(y), 0.0).forward(y, y)
            ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        gradient = _incoming(gradient)
        if ctx.relu:
            (y,) = ctx.saved_tensor()
            gradient = _behind_relu(y, gradient)
        parts = _taken_apart(ctx.plan, gradient, ctx.shapes)
        return _wanted(ctx, *parts)


class _Split(PyLayer):
    @staticmethod
    def forward(ctx: Any, x: Tensor, counts: tuple[int, ...]) -> tuple[Tensor, ...]:
        x = _dense(x)
        rows = math.prod(x.shape[:-1])
        ctx.plan, ctx.shape = plans.channels(rows, counts, _type(x)), x.shape
        shapes = [[*x.shape[:-1], count] for count in counts]
        return _taken_apart(ctx.plan, x, shapes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        dense = [_incoming(gradient) for gradient in gradients]
        to_input = plans.empty(ctx.shape, dense[0].dtype)
        ctx.plan.join(dense, to_input)
        return to_input


def _taken_apart(
    plan: plans.Channels, whole: Tensor, shapes: Sequence[Sequence[int]]
) -> tuple[Tensor, ...]:
    parts = []
    for take, shape in zip(plan.take, shapes):
        part = plans.empty(list(shape), whole.dtype)
        take(whole, part)
        parts.append(part)
    return tuple(parts)


class _ToChannelsLast(PyLayer):
    @staticmethod
    def forward(ctx: Any, x: Tensor, dtype: int) -> Tensor:
        x = _dense(x)
        batch, channels, height, width = x.shape
        y = plans.empty([batch, height, width, channels], _TYPES[dtype])
        ctx.plan = plans.layouts((batch, channels, height, width), dtype)
        ctx.plan.to_last(x, y)
        ctx.shape = x.shape
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gradient = _incoming(gradient)
        to_input = plans.empty(ctx.shape, paddle.float32)
        ctx.plan.to_first(gradient, to_input)
        return to_input


class _ToChannelsFirst(PyLayer):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = _dense(x)
        shape = _picture_shape(x)
        y = plans.empty(list(shape), paddle.float32)
        ctx.plan = plans.layouts(shape, _type(x))
        ctx.plan.to_first(x, y)
        ctx.like = (x.shape, x.dtype)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gradient = _incoming(gradient)
        shape, dtype = ctx.like
        to_input = plans.empty(shape, dtype)
        ctx.plan.to_last(gradient, to_input)
        return to_input
