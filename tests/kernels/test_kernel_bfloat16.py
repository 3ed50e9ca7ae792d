"""Every operator in bfloat16: results and gradients against Paddle's in float32, of the same rounded inputs."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ppcls.kernels import library, operators, selection
from ppcls.utils import cpu

pytestmark = pytest.mark.skipif(not cpu.has_bfloat16(), reason="the processor does not multiply bfloat16 numbers")

# Of the largest value; a bfloat16 number has 8 significant bits, so that one rounding is at most 2 ** -9 of it
BOUND = 5e-3
EXAMPLES = settings(max_examples=25)
pictures = st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(2, 9), st.integers(2, 9))


def rounded(shape, seed=0):
    """Normal numbers that bfloat16 holds exactly, as float32."""
    numbers = np.random.default_rng([seed, *shape]).standard_normal(shape).astype("float32")
    return (numbers.view("uint32") & 0xFFFF0000).view("float32")


def theirs_of(array):
    return paddle.to_tensor(array, stop_gradient=False)


def ours_of(array):
    """[N, C, H, W] as a leaf of float32, and as the operators take it: bfloat16 [N, H, W, C]."""
    leaf = paddle.to_tensor(array, stop_gradient=False)
    last = operators.to_channels_last(leaf, bfloat16=True)
    assert last.dtype == paddle.bfloat16
    return leaf, last


def assert_near(ours, theirs):
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= BOUND * max(1e-30, np.abs(theirs).max())


def compare(ours, theirs, pairs):
    """Compare a result, and the gradients of (our leaf, Paddle's), the weights' being float32."""
    assert ours.dtype == paddle.bfloat16
    ours = operators.to_channels_first(ours)
    assert_near(ours.numpy(), theirs.numpy())
    gradient = rounded(theirs.shape, 9)
    theirs.backward(paddle.to_tensor(gradient))
    ours.backward(paddle.to_tensor(gradient))
    for mine, other in pairs:
        assert mine.grad.dtype == paddle.float32
        assert_near(mine.grad.numpy(), other.grad.numpy())


@EXAMPLES
@given(
    batch=st.integers(1, 3),
    groups=st.sampled_from([1, 1, 2, 8]),
    inputs=st.integers(1, 20),
    outputs=st.integers(1, 20),
    size=st.tuples(st.integers(3, 12), st.integers(3, 12)),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    bias=st.booleans(),
    relu=st.booleans(),
)
def test_convolution(batch, groups, inputs, outputs, size, kernel, stride, dilation, bias, relu):
    around = dilation * (kernel // 2)
    # Weights that no rounding of the operators' changes, so that the bound is that of their arithmetic
    x, w = rounded((batch, groups * inputs, *size)), rounded((groups * outputs, inputs, kernel, kernel), 1)
    vectors = [rounded((groups * outputs,), 2)] if bias else []
    leaf, last = ours_of(x)
    parameters = [theirs_of(value) for value in (w, *vectors)]
    theirs = [theirs_of(value) for value in (x, w, *vectors)]
    assume(all(side + 2 * around >= dilation * (kernel - 1) + 1 for side in size))
    pairs = (stride, stride), (around, around), (dilation, dilation)
    got = operators.convolution(last, parameters[0], parameters[1] if bias else None, *pairs, groups, relu)
    want = F.conv2d(theirs[0], theirs[1], theirs[2] if bias else None, stride, around, dilation, groups)
    assume(not relu or np.abs(want.numpy()).min() > 1e-4)
    compare(got, F.relu(want) if relu else want, list(zip([leaf, *parameters], theirs)))


@EXAMPLES
@given(shape=pictures, relu=st.booleans(), given_statistics=st.booleans(), with_shortcut=st.booleans())
def test_batch_norm(shape, relu, given_statistics, with_shortcut):
    assume(shape[0] * shape[2] * shape[3] >= 16)
    channels = shape[1]
    (leaf, last), theirs = ours_of(rounded(shape)), theirs_of(rounded(shape))
    (short_leaf, short), their_short = ours_of(rounded(shape, 3)), theirs_of(rounded(shape, 3))
    norm = paddle.nn.BatchNorm2D(channels)
    norm.training = not given_statistics
    weight, bias = theirs_of(norm.weight.numpy()), theirs_of(norm.bias.numpy())
    statistics = (paddle.to_tensor(norm._mean.numpy()), paddle.to_tensor(norm._variance.numpy()))
    momentum = None if given_statistics else norm._momentum
    got = operators.batch_norm(
        last, weight, bias, statistics, momentum, norm._epsilon, relu, short if with_shortcut else None
    )
    want = norm(theirs)
    pairs = [(leaf, theirs), (weight, norm.weight), (bias, norm.bias)]
    if with_shortcut:
        want = want + their_short
        pairs.append((short_leaf, their_short))
    # Where the sum is rounded across zero, the ReLU decides otherwise
    assume(not relu or np.abs(want.numpy()).min() > 0.02)
    compare(got, F.relu(want) if relu else want, pairs)
    assert_near(statistics[0].numpy(), norm._mean.numpy())
    assert statistics[1].dtype == paddle.float32
    assert_near(statistics[1].numpy(), norm._variance.numpy())


@EXAMPLES
@given(shape=pictures, kind=st.sampled_from(["max", "average", "average with padding"]))
def test_pool(shape, kind):
    (leaf, last), theirs = ours_of(rounded(shape)), theirs_of(rounded(shape))
    code = {
        "max": library.POOL_MAX,
        "average": library.POOL_AVERAGE,
        "average with padding": library.POOL_AVERAGE_PADDED,
    }[kind]
    got = operators.pool(last, (2, 2), (2, 2), (1, 1), False, code)
    if kind == "max":
        want = F.max_pool2d(theirs, 2, 2, 1)
    else:
        want = F.avg_pool2d(theirs, 2, 2, 1, exclusive=kind == "average")
    compare(got, want, [(leaf, theirs)])


@EXAMPLES
@given(shape=pictures, slope=st.sampled_from([0.0, 0.1]))
def test_relu(shape, slope):
    (leaf, last), theirs = ours_of(rounded(shape)), theirs_of(rounded(shape))
    compare(operators.relu(last, slope), F.leaky_relu(theirs, slope), [(leaf, theirs)])


@EXAMPLES
@given(shape=pictures, relu=st.booleans())
def test_add(shape, relu):
    (one, first), their_one = ours_of(rounded(shape)), theirs_of(rounded(shape))
    (other, second), their_other = ours_of(rounded(shape, 1)), theirs_of(rounded(shape, 1))
    want = their_one + their_other
    compare(
        operators.add(first, second, relu), F.relu(want) if relu else want, [(one, their_one), (other, their_other)]
    )


@EXAMPLES
@given(shape=pictures)
def test_scale_of_channels(shape):
    (leaf, last), theirs = ours_of(rounded(shape)), theirs_of(rounded(shape))
    factors, their_factors = theirs_of(rounded(shape[:2], 1)), theirs_of(rounded(shape[:2], 1))
    want = theirs * their_factors.unsqueeze([2, 3])
    compare(operators.scale_channels(last, factors), want, [(leaf, theirs), (factors, their_factors)])


@EXAMPLES
@given(shape=pictures, channels=st.lists(st.integers(1, 20), min_size=2, max_size=4), relu=st.booleans())
def test_concat_and_split(shape, channels, relu):
    arrays = [rounded((shape[0], count, *shape[2:]), i) for i, count in enumerate(channels)]
    ours = [ours_of(array) for array in arrays]
    theirs = [theirs_of(array) for array in arrays]
    joined, wanted = operators.concat([last for _, last in ours], relu), paddle.concat(theirs, axis=1)
    again = operators.concat(list(reversed(operators.split(joined, channels))))
    wanted = F.relu(wanted) if relu else wanted
    want = paddle.concat(list(reversed(paddle.split(wanted, channels, axis=1))), axis=1)
    compare(again, want, [(leaf, other) for (leaf, _), other in zip(ours, theirs)])


def test_a_tensor_that_three_operators_read_gets_the_sum_of_their_gradients():
    (leaf, last), theirs = ours_of(rounded((2, 3, 5, 4))), theirs_of(rounded((2, 3, 5, 4)))
    one, other, third = operators.fork(last, 3)
    got = operators.concat([operators.relu(one), operators.relu(other, 0.5), third])
    want = paddle.concat([F.relu(theirs), F.leaky_relu(theirs, 0.5), theirs], axis=1)
    compare(got, want, [(leaf, theirs)])


def test_the_block_ends_where_it_was_begun():
    assert not selection.is_bfloat16()
    with selection.bfloat16():
        assert selection.is_bfloat16()
        with selection.bfloat16(False):
            assert not selection.is_bfloat16()
        assert selection.is_bfloat16()
    assert not selection.is_bfloat16()
