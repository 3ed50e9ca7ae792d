"""Where the tensors of the operators lie."""

import tracemalloc

import paddle
import pytest

from helpers.new_process import output_of
from ppcls.kernels import plans

LARGE = [2, 256, 128, 8]  # float32: 2 MiB

# Tensors of one shape that come and go, with small objects between them that stay
COMES_AND_GOES = """
import resource
from ppcls.kernels import library, plans
import paddle
library.Library.load()
stay = []
def fill():
    tensors = []
    for _ in range(60):
        tensors.append(plans.empty([1 << 18], paddle.float32))
        tensors[-1].fill_(1.0)
        stay.append(bytearray(1500))
    return tensors
def megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
fill()
first = megabytes()
for _ in range(5):
    fill()
print(megabytes() - first)
"""


@pytest.mark.parametrize("dtype", [paddle.float32, paddle.bfloat16, paddle.uint8])
@pytest.mark.parametrize("shape", [LARGE, [2, 3]])
def test_memory_for_a_tensor_has_its_shape_and_type_on_a_cache_line(shape, dtype):
    tensor = plans.empty(shape, dtype)
    assert (list(tensor.shape), tensor.dtype) == (shape, dtype)
    assert tensor.data_ptr() % 64 == 0
    assert tensor.is_contiguous() and tensor.stop_gradient
    tensor.fill_(3)
    assert (tensor.astype("float32").numpy() == 3).all()


def test_a_large_tensor_frees_its_memory_with_its_last_copy():
    tracemalloc.start()
    try:
        tensor = plans.empty(LARGE, paddle.float32)
        held = tracemalloc.get_traced_memory()[0]
        same = tensor.detach()
        del tensor
        assert tracemalloc.get_traced_memory()[0] > held - (1 << 20)
        del same
        assert tracemalloc.get_traced_memory()[0] < held - (1 << 20)
    finally:
        tracemalloc.stop()


def test_large_tensors_that_are_gone_leave_nothing():
    tracemalloc.start()
    try:
        plans.empty(LARGE, paddle.float32)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1000):
            plans.empty(LARGE, paddle.float32)
        assert tracemalloc.get_traced_memory()[0] - before < 4000
    finally:
        tracemalloc.stop()


def test_tensors_fit_into_the_holes_that_others_of_their_shape_left():
    # 60 MiB in each turn; on pages of their own they took 120 MiB more
    assert float(output_of("-c", COMES_AND_GOES)) < 12
