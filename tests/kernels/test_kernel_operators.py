"""Every operator against Paddle's: results and gradients, over drawn shapes."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helpers.new_process import output_of, with_checkout
from ppcls.kernels import library, operators, plans

# Of the largest value
BOUND = 5e-6
EXAMPLES = settings(max_examples=40)

sides = st.integers(1, 12)
pictures = st.tuples(st.integers(1, 3), st.integers(1, 20), sides, sides)


def values(shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype("float32")


def leaf(array, is_last=False):
    """A tensor that gets a gradient; `is_last` moves its channels behind height and width."""
    if is_last:
        array = np.ascontiguousarray(np.moveaxis(array, 1, -1))
    return paddle.to_tensor(array, stop_gradient=False)


def first(tensor):
    """A result of the operators as [N, C, H, W]."""
    return np.moveaxis(tensor.numpy(), -1, 1)


def assert_near(ours, theirs, bound=BOUND):
    scale = max(1e-30, np.abs(theirs).max())
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() / scale < bound


def compare(ours, theirs, pairs):
    """Compare a result, and the gradients of (our tensor, Paddle's, whether ours is a picture)."""
    assert_near(first(ours), theirs.numpy())
    gradient = values(theirs.shape, seed=9)
    theirs.backward(paddle.to_tensor(gradient))
    ours.backward(leaf(gradient, is_last=True))
    for mine, other, is_picture in pairs:
        grad = first(mine.grad) if is_picture else mine.grad.numpy()
        assert_near(grad, other.grad.numpy())


@EXAMPLES
@given(
    batch=st.integers(1, 3),
    groups=st.sampled_from([1, 1, 2, 8]),
    relu=st.booleans(),
    inputs=st.integers(1, 9),
    outputs=st.integers(1, 9),
    size=st.tuples(st.integers(1, 15), st.integers(1, 15)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    bias=st.booleans(),
)
def test_convolution(batch, groups, relu, inputs, outputs, size, kernel, stride, padding, dilation, bias):
    for side, window, around, step in zip(size, kernel, padding, dilation):
        assume(side + 2 * around >= step * (window - 1) + 1)
    x, w = values((batch, groups * inputs, *size)), values((groups * outputs, inputs, *kernel), 1)
    b = values((groups * outputs,), 2) if bias else None
    ours = [leaf(x, is_last=True), leaf(w), *([leaf(b)] if bias else [])]
    theirs = [leaf(x), leaf(w), *([leaf(b)] if bias else [])]
    got = operators.convolution(*ours[:2], ours[2] if bias else None, stride, padding, dilation, groups, relu)
    want = F.conv2d(*theirs[:2], theirs[2] if bias else None, list(stride), list(padding), list(dilation), groups)
    # A ReLU passes all of a gradient or nothing: where rounding decides, the two may differ
    assume(not relu or np.abs(want.numpy()).min() > 1e-5)
    compare(got, F.relu(want) if relu else want, [(a, c, i == 0) for i, (a, c) in enumerate(zip(ours, theirs))])


@EXAMPLES
@given(shape=pictures, relu=st.booleans(), given_statistics=st.booleans(), with_shortcut=st.booleans())
def test_batch_norm(shape, relu, given_statistics, with_shortcut):
    assume(shape[0] * shape[2] * shape[3] >= 8)
    channels = shape[1]
    x, s = 3 * values(shape) + 1, values(shape, 3)
    ours, theirs = leaf(x, is_last=True), leaf(x)
    short, their_short = leaf(s, is_last=True), leaf(s)
    norm = paddle.nn.BatchNorm2D(channels)
    norm.weight.set_value(values((channels,), 4))
    norm.bias.set_value(values((channels,), 5))
    norm._variance.set_value(np.abs(values((channels,), 6)) + 0.5)
    norm._mean.set_value(values((channels,), 7))
    norm.training = not given_statistics
    weight, bias = leaf(norm.weight.numpy()), leaf(norm.bias.numpy())
    statistics = (paddle.to_tensor(norm._mean.numpy()), paddle.to_tensor(norm._variance.numpy()))
    momentum = None if given_statistics else norm._momentum
    got = operators.batch_norm(
        ours, weight, bias, statistics, momentum, norm._epsilon, relu, short if with_shortcut else None
    )
    want = norm(theirs)
    pairs = [(ours, theirs, True), (weight, norm.weight, False), (bias, norm.bias, False)]
    if with_shortcut:
        want = want + their_short
        pairs.append((short, their_short, True))
    compare(got, F.relu(want) if relu else want, pairs)
    assert_near(statistics[0].numpy(), norm._mean.numpy())
    assert_near(statistics[1].numpy(), norm._variance.numpy())


@EXAMPLES
@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 20), st.integers(3, 13), st.integers(3, 13)),
    kernel=st.integers(2, 3),
    stride=st.integers(1, 3),
    padding=st.integers(0, 1),
    ceil_mode=st.booleans(),
    kind=st.sampled_from(["max", "average", "average with padding"]),
)
def test_pool(shape, kernel, stride, padding, ceil_mode, kind):
    # Paddle makes windows that begin behind the picture, which no model here has
    for side in shape[2:]:
        result = -(-(side + 2 * padding - kernel) // stride) + 1
        assume(not ceil_mode or (result - 1) * stride < side + padding)
    assume(not (ceil_mode and kind == "average with padding"))
    x = values(shape)
    ours, theirs = leaf(x, is_last=True), leaf(x)
    pair = (kernel, kernel), (stride, stride), (padding, padding)
    if kind == "max":
        got = operators.pool(ours, *pair, ceil_mode, library.POOL_MAX)
        want = F.max_pool2d(theirs, kernel, stride, padding, ceil_mode=ceil_mode)
    else:
        exclusive = kind == "average"
        code = library.POOL_AVERAGE if exclusive else library.POOL_AVERAGE_PADDED
        got = operators.pool(ours, *pair, ceil_mode, code)
        want = F.avg_pool2d(theirs, kernel, stride, padding, ceil_mode=ceil_mode, exclusive=exclusive)
    compare(got, want, [(ours, theirs, True)])


@EXAMPLES
@given(shape=pictures, slope=st.sampled_from([0.0, 0.1]))
def test_relu(shape, slope):
    x = values(shape)
    ours, theirs = leaf(x, is_last=True), leaf(x)
    compare(operators.relu(ours, slope), F.leaky_relu(theirs, slope), [(ours, theirs, True)])


@EXAMPLES
@given(shape=pictures, relu=st.booleans())
def test_add_of_a_tensor_to_itself(shape, relu):
    """Both gradients go to one tensor, where Paddle adds them."""
    x = values(shape)
    ours, theirs = leaf(x, is_last=True), leaf(x)
    want = theirs + theirs
    compare(operators.add(ours, ours, relu), F.relu(want) if relu else want, [(ours, theirs, True)])


@pytest.mark.parametrize("readers", [1, 2, 3])
def test_a_fork_adds_the_gradients_of_its_readers(readers):
    x = values((2, 3, 4, 5))
    ours, theirs = leaf(x, is_last=True), leaf(x)
    branches = operators.fork(ours, readers)
    assert all(branch.data_ptr() == ours.data_ptr() for branch in branches)
    got = operators.concat([operators.relu(branch, 0.1 * i) for i, branch in enumerate(branches)])
    want = paddle.concat([F.leaky_relu(theirs, 0.1 * i) for i in range(readers)], axis=1)
    compare(got, want, [(ours, theirs, True)])
    assert operators.fork(paddle.zeros([1, 1, 1, 1]), 2)[0].stop_gradient


@EXAMPLES
@given(shape=pictures)
def test_scale_of_channels(shape):
    x, factors = values(shape), values(shape[:2], 1)
    ours, theirs = leaf(x, is_last=True), leaf(x)
    our_factors, their_factors = leaf(factors), leaf(factors)
    got = operators.scale_channels(ours, our_factors)
    want = theirs * their_factors.unsqueeze([2, 3])
    compare(got, want, [(ours, theirs, True), (our_factors, their_factors, False)])


@EXAMPLES
@given(shape=pictures, channels=st.lists(st.integers(1, 20), min_size=1, max_size=4), relu=st.booleans())
def test_concat_and_split(shape, channels, relu):
    arrays = [values((shape[0], count, *shape[2:]), i) for i, count in enumerate(channels)]
    ours = [leaf(array, is_last=True) for array in arrays]
    theirs = [leaf(array) for array in arrays]
    joined, wanted = operators.concat(ours, relu), paddle.concat(theirs, axis=1)
    wanted = F.relu(wanted) if relu else wanted
    np.testing.assert_array_equal(first(joined), wanted.numpy())
    parts, want = operators.split(joined, channels), paddle.split(wanted, channels, axis=1)
    for part, other in zip(parts, want):
        np.testing.assert_array_equal(first(part), other.numpy())
    # Parts of different weight, so that a part's gradient cannot stand for another's
    sum(i * part.sum() for i, part in enumerate(parts, 1)).backward()
    sum(i * part.sum() for i, part in enumerate(want, 1)).backward()
    for mine, other in zip(ours, theirs):
        np.testing.assert_array_equal(first(mine.grad), other.grad.numpy())


def test_layouts():
    x = values((2, 3, 4, 5))
    ours = leaf(x)
    last = operators.to_channels_last(ours)
    np.testing.assert_array_equal(last.numpy(), np.moveaxis(x, 1, -1))
    operators.to_channels_first(last * last).sum().backward()
    np.testing.assert_array_equal(ours.grad.numpy(), 2 * x)


def test_a_view_is_copied_first():
    x = values((2, 6, 5, 5))
    ours = leaf(x)
    view = ours.transpose([0, 2, 3, 1])
    assert not view.is_contiguous()
    got = operators.relu(view)
    np.testing.assert_array_equal(first(got), np.maximum(x, 0))


def test_a_frozen_weight_gets_no_gradient():
    x, weight = leaf(values((1, 4, 4, 4)), is_last=True), leaf(values((2, 4, 1, 1)))
    weight.stop_gradient = True
    operators.convolution(x, weight, None, (1, 1), (0, 0), (1, 1), 1).sum().backward()
    assert weight.grad is None
    assert x.grad is not None


def test_frozen_batch_norm_passes_gradients_on():
    x = leaf(values((2, 4, 4, 4)), is_last=True)
    vectors = [paddle.ones([4]) for _ in range(2)]
    statistics = (paddle.zeros([4]), paddle.ones([4]))
    operators.batch_norm(x, *vectors, statistics, None, 0.0, False).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.ones((2, 4, 4, 4)), rtol=1e-6)
    assert vectors[0].grad is None


def test_repetition_is_exact():
    def run():
        x, weight = leaf(values((2, 16, 9, 9)), is_last=True), leaf(values((16, 16, 3, 3)))
        y = operators.convolution(x, weight, None, (1, 1), (1, 1), (1, 1), 1)
        y.sum().backward()
        return y.numpy().tobytes() + x.grad.numpy().tobytes() + weight.grad.numpy().tobytes()

    assert run() == run()


def test_a_shape_is_planned_once():
    shape = plans.ConvolutionShape((1, 8, 4, 4), 8, (3, 3), (1, 1), (1, 1), (1, 1), 1, False, library.FLOAT32)
    assert plans.convolution(shape) is plans.convolution(shape)
    assert plans.convolution.cache_info().maxsize == plans.CAPACITY


def test_what_the_library_refuses_is_an_error():
    with pytest.raises(library.KernelError, match="status"):
        library.strided((1, 1), (1, 1), 99)


@pytest.mark.parametrize("frozen", [0, 1])
def test_a_frozen_part_of_a_sum_or_a_join_gets_no_gradient(frozen):
    for operator in (operators.add, lambda *parts: operators.concat(parts)):
        parts = [leaf(values((1, 3, 2, 2), i), is_last=True) for i in range(2)]
        parts[frozen].stop_gradient = True
        operator(*parts).sum().backward()
        assert [part.grad is None for part in parts] == [frozen == 0, frozen == 1]


def test_second_derivatives_are_refused():
    x = leaf(values((1, 2, 3, 3)), is_last=True)
    with pytest.raises(Exception, match="PPCLS_CPU_KERNELS=paddle"):
        paddle.grad(operators.relu(x), x, create_graph=True)


def test_more_threads_than_openmp_gives_are_not_waited_for():
    code = """
import ctypes, paddle
from ppcls.kernels import library, operators
openmp = ctypes.CDLL(str(library.Path(paddle.__file__).parent / "libs" / "libiomp5.so"))
openmp.omp_set_num_threads(2)  # as a predictor may have done
vectors = [paddle.ones([16]) for _ in range(2)]
statistics = (paddle.zeros([16]), paddle.ones([16]))
operators.batch_norm(paddle.ones([2, 64, 64, 16]), *vectors, statistics, 0.9, 1e-5, True)
print(openmp.omp_get_thread_limit(), openmp.omp_get_max_threads())
"""
    environment = with_checkout(OMP_THREAD_LIMIT="1", KMP_WARNINGS="0")
    assert output_of("-W", "ignore", "-c", code, environment=environment) == "1 1\n"
