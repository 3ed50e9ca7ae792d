from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppcls.data.sampler import positions, steps_in_epoch
from ppcls.data.shards.order import Division, buffer_generator, parts, shard_order, shuffled, still_needed

COUNTS = np.array([3, 2, 4])


def test_parts_are_a_window_of_endless_passes():
    assert list(parts(COUNTS, 0, False, 0, 9)) == [(0, 0, 3), (1, 0, 2), (2, 0, 4)]
    assert list(parts(COUNTS, 0, False, 2, 6)) == [(0, 2, 3), (1, 0, 2), (2, 0, 1)]
    assert list(parts(COUNTS, 0, False, 8, 19)) == [(2, 3, 4), (0, 0, 3), (1, 0, 2), (2, 0, 4), (0, 0, 1)]
    assert list(parts(COUNTS, 0, False, 4, 4)) == []
    order = shard_order(3, 5, 1, True)
    assert [part.shard for part in parts(COUNTS, 5, True, 9, 18)] == order


def test_the_order_of_shards_comes_from_seed_and_pass():
    orders = {(seed, number): tuple(shard_order(20, seed, number, True)) for seed in (0, 1) for number in (0, 1)}
    assert len(set(orders.values())) == 4
    assert all(sorted(order) == list(range(20)) for order in orders.values())
    assert shard_order(3, 0, 7, False) == [0, 1, 2]


def test_a_reader_draws_from_an_address_of_its_own():
    addresses = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)]
    assert len({int(buffer_generator(*address).integers(1 << 62)) for address in addresses}) == 5


def test_a_buffer_mixes_within_its_reach():
    drawn = list(shuffled(range(1000), 10, np.random.default_rng(0)))
    assert sorted(drawn) == list(range(1000))
    assert drawn != sorted(drawn)
    assert all(number < place + 10 for place, number in enumerate(drawn))
    assert list(shuffled(range(5), 1, np.random.default_rng(0))) == [0, 1, 2, 3, 4]


@given(st.integers(0, 40), st.integers(1, 50), st.integers(0, 45))
def test_what_is_still_needed_is_what_comes_after(count, size, taken):
    taken = min(taken, count)
    whole = list(shuffled(range(count), size, np.random.default_rng(7)))
    needed = still_needed(count, taken, size, np.random.default_rng(7))
    wanted = {item for item in range(count) if item >= len(needed) or needed[item]}
    assert wanted == set(whole[taken:])


@given(
    st.integers(1, 60), st.integers(1, 5), st.integers(1, 3), st.integers(1, 4), st.booleans(), st.integers(0, 20)
)  # fmt: skip
def test_readers_share_an_epoch_without_gap_or_overlap(pictures, batch_size, world_size, workers, drop_last, before):
    steps = steps_in_epoch(pictures, batch_size * world_size, drop_last)
    length = min(pictures, steps * batch_size * world_size)
    division = Division(length, steps, batch_size, world_size, workers)
    end = 0
    for rank, worker in itertools.product(range(world_size), range(workers)):
        assert division.start(rank, worker) == end
        sizes = [division.size(step, rank) for step in range(worker, steps, workers)]
        assert division.quota(rank, worker) == sum(sizes)
        done = [division.size(step, rank) for step in range(worker, min(before, steps), workers)]
        assert division.quota(rank, worker, before=min(before, steps)) == sum(done)
        end += sum(sizes)
    assert end == length


@pytest.mark.parametrize(("rank", "size"), [(0, 1), (1, 2)])
def test_the_last_step_is_shared_as_that_of_a_list(rank, size):
    division = Division(11, 3, 2, 2, 2)
    assert [division.size(step, rank) for step in range(3)] == [2, 2, size]
    assert positions(11, 2, 2, rank, 2) == slice(8 + rank, 9 + 2 * rank)
