from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppcls.data.sampler import (
    SAMPLERS,
    DistributedBatchSampler,
    batch_generator,
    epoch_order,
    positions,
    sample_generator,
    steps_in_epoch,
)

lengths = st.integers(1, 200)
batches = st.integers(1, 12)
worlds = st.integers(1, 6)


@given(lengths, st.integers(0, 2**40), st.integers(0, 500))
def test_an_epoch_has_every_index_once(length: int, seed: int, epoch: int) -> None:
    order = epoch_order(length, seed, epoch, shuffle=True)
    assert order.dtype == np.int64 and sorted(order.tolist()) == list(range(length))
    assert np.array_equal(order, epoch_order(length, seed, epoch, shuffle=True))


def test_orders_differ_by_seed_and_epoch() -> None:
    orders = {tuple(epoch_order(20, seed, epoch, True).tolist()) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25
    assert epoch_order(4, 7, 7, shuffle=False).tolist() == [0, 1, 2, 3]


def test_the_order_of_an_address_is_fixed_for_ever() -> None:
    assert epoch_order(8, 42, 3, shuffle=True).tolist() == [7, 6, 3, 5, 4, 1, 2, 0]


@given(lengths, batches, worlds, st.booleans())
def test_slices_cover_the_epoch_side_by_side(length: int, batch: int, world: int, drop_last: bool) -> None:
    steps = steps_in_epoch(length, batch * world, drop_last)
    read = []
    for step in range(steps):
        sizes = []
        for rank in range(world):
            part = positions(length, step, batch, rank, world)
            assert part.start == len(read)
            read += range(part.start, part.stop)
            sizes.append(part.stop - part.start)
        assert max(sizes) <= batch and max(sizes) - min(sizes) <= 1
        assert len(read) == min((step + 1) * batch * world, length)
    assert len(read) == (length // (batch * world) * batch * world if drop_last else length)


@given(lengths, st.sampled_from([1, 2, 3, 4, 6, 12]), st.integers(0, 20))
def test_a_global_batch_does_not_depend_on_the_number_of_processes(length: int, world: int, step: int) -> None:
    if step >= steps_in_epoch(length, 12, False):
        return
    parts = [positions(length, step, 12 // world, rank, world) for rank in range(world)]
    alone = positions(length, step, 12)
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(alone.start, alone.stop))


def test_steps() -> None:
    assert [steps_in_epoch(length, 4, False) for length in (1, 4, 5, 8)] == [1, 1, 2, 2]
    assert [steps_in_epoch(length, 4, True) for length in (1, 4, 5, 8)] == [0, 1, 1, 2]
    assert positions(10, 2, 4) == slice(8, 10)
    assert [positions(10, 1, 2, rank, 3) for rank in range(3)] == [slice(6, 7), slice(7, 8), slice(8, 10)]


def test_no_two_addresses_share_random_numbers() -> None:
    small = range(3)
    first = [sample_generator(s, e, i).random() for s in small for e in small for i in small]
    first += [batch_generator(s, e, t, r).random() for s in small for e in small for t in small for r in small]
    first += [np.random.default_rng((1, s, e)).random() for s in small for e in small]
    assert len(set(first)) == 27 + 81 + 9
    assert sample_generator(1, 2, 3).random() == sample_generator(1, 2, 3).random()


def test_component() -> None:
    assert SAMPLERS["BatchSampler"] is SAMPLERS["DistributedBatchSampler"] is DistributedBatchSampler
    assert DistributedBatchSampler(4, True, True) == DistributedBatchSampler(shuffle=True, drop_last=True, batch_size=4)
    with pytest.raises(ValueError, match="batch_size is 0; write a whole number of at least 1"):
        DistributedBatchSampler(0)
