import _thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.fake_time import Clock, FakeBackend, Work
from helpers.terminals import terminal
from ppcls.benchmark.timing import Plan, Timing, time_interleaved
from ppcls.benchmark.work import batch_of, batches_per_call, work_of
from ppcls.inference.bundle import Bundle


def test_a_round_warms_up_and_then_times_whole_calls():
    clock = Clock()
    work = Work(clock, [1.0])
    timings = time_interleaved({"a": work}, Plan(rounds=2, settle=2.5, span=1.5), clock)
    assert timings == {"a": Timing((1.0,) * 4)}  # 2 per round: the second begins at 1.0 of 1.5
    assert work.calls == 2 * (3 + 2)


def test_without_seconds_a_round_is_one_call_of_each_kind():
    clock, log = Clock(), []
    works = {"a": Work(clock, [5.0, 1.0], "a", log), "b": Work(clock, [7.0, 3.0], "b", log)}
    timings = time_interleaved(works, Plan(rounds=3, settle=0, span=0), clock)
    assert timings == {"a": Timing((1.0,) * 3), "b": Timing((3.0,) * 3)}  # the calls of 5 and 7 s were warm-up
    assert "".join(log) == "aabb" + "bbaa" + "aabb"


def test_a_terminal_shows_a_bar_of_all_rounds():
    clock = Clock()
    works = {name: Work(clock, [1.0]) for name in "ab"}
    with terminal(80) as shown:
        time_interleaved(works, Plan(rounds=3, settle=0, span=0), clock, "pass 1 of 2 to 6")
    assert shown.text.startswith("\rpass 1 of 2 to 6:   0%|") and "| 0/6 [00:00<" in shown.text


def test_percentiles():
    timing = Timing((0.4, 0.1, 0.3, 0.2, 0.5))
    assert (timing.median, timing.undisturbed) == (pytest.approx(0.3), pytest.approx(0.2))
    assert [timing.percentile(percent) for percent in (5, 95)] == pytest.approx([0.12, 0.48])
    assert timing.divided(2).seconds == (0.2, 0.05, 0.15, 0.1, 0.25)


@given(st.lists(st.floats(0.001, 10), min_size=1, max_size=20))
def test_percentiles_are_in_order_and_within(seconds):
    timing = Timing(tuple(seconds))
    found = [min(seconds), timing.percentile(5), timing.undisturbed, timing.median, timing.percentile(95), max(seconds)]
    assert np.all(np.diff(found) >= -1e-12)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"rounds": 0}, "rounds is 0; write 1 or more"),
        ({"settle": -1}, "settle is -1; write seconds, 0 or more"),
        ({"span": -0.5}, "span is -0.5; write seconds, 0 or more"),
    ],
)
def test_an_impossible_plan(values, sentence):
    with pytest.raises(ValueError) as caught:
        Plan(**values)
    assert str(caught.value) == sentence


def test_a_plan_says_what_is_done():
    assert str(Plan(3, 0.25, 1)) == (
        "3 interleaved rounds; in each, 0.25 s of warm-up, then 1 s of timed calls (at least one)"
    )


def test_work_runs_one_batch_or_as_many_as_are_in_flight(exported):
    bundle = Bundle.load(exported)
    batch = batch_of(bundle, 3)
    assert (batch.shape, batch.dtype, batch.flags.c_contiguous) == ((3, 3, 32, 32), np.float32, True)
    assert abs(float(batch.std()) - 1) < 0.05
    for requests, batches in ((1, 1), (2, 4), (3, 6)):
        clock = Clock()
        backend = FakeBackend(clock, 0.5)
        with work_of(backend, batch, requests) as work:
            work()
        assert backend.shapes == [(3, 3, 32, 32)] * batches
        assert batches_per_call(requests) == batches
        assert clock.now == 1.5 * batches


def test_fewer_threads_than_requests_measure_nothing(exported, monkeypatch):
    def refuse(run, arguments):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    backend = FakeBackend(Clock(), 0.5)
    with (
        work_of(backend, batch_of(Bundle.load(exported), 1), 2) as work,
        pytest.raises(RuntimeError, match="can't start new thread"),
    ):
        work()


def test_a_backend_that_fails_in_a_thread_is_not_swallowed(exported):
    class Broken:
        def run(self, batch):
            raise RuntimeError("out of memory")

    with work_of(Broken(), batch_of(Bundle.load(exported), 1), 2) as work, pytest.raises(RuntimeError, match="memory"):
        work()
