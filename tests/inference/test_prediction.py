"""What goes on at the same time, in which order it comes out, and how much of it there is."""

import gc
import itertools
import signal
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.messages import refusal, says
from ppcls.data.transforms import UnreadableImage
from ppcls.inference import Result
from ppcls.inference.prediction import Prediction

CLASSES = 7
LONG = 30  # seconds that no wait takes unless something is wrong


class Numbers:
    """Preprocessing of "pictures" that are a number each: its tensor holds it; those with a minus cannot be read."""

    def __init__(self, output_size=(1, 2, 2), before=lambda number: None):
        self.output_size, self.before, self.read = output_size, before, []

    def __call__(self, data, rng=None, out=None):
        number = int(data)
        self.read.append(number)
        self.before(number)
        if number < 0:
            raise UnreadableImage(f"{number} is no picture")
        tensor = np.empty((1, 2, 2), np.float32) if out is None else out
        tensor[...] = number
        return tensor


class Remainders:
    """Scores that say the number: its remainder gets 1, every other class 0."""

    def __init__(self, before=lambda number: None):
        self.before, self.ran = before, []

    def run(self, batch):
        numbers = batch[:, 0, 0, 0].astype(int)
        self.ran.append(numbers.tolist())
        self.before(numbers[0])
        return np.eye(CLASSES, dtype=np.float32)[numbers % CLASSES]


def pictures(count):
    return [str(number).encode() for number in range(count)]


def expected(numbers):
    return [
        Result(place, error=f"{number} is no picture") if number < 0 else Result(place, [number % CLASSES], [1.0])
        for place, number in enumerate(numbers)
    ]


def wait(event):
    assert event.wait(LONG)


def test_a_picture_that_memory_does_not_suffice_for_is_reported_and_those_after_it_are_answered():
    def exhaust(number):
        if number == 3:
            raise MemoryError

    results = list(Prediction(Numbers(before=exhaust), Remainders(), batch_size=2, topk=1).predict(pictures(6)))
    assert results[3].error == "there is not enough memory to read it"
    assert results[:3] + results[4:] == expected(range(3)) + expected(range(6))[4:]


@given(
    st.lists(st.integers(-2, 40), max_size=25),
    st.integers(1, 9),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from([(1, 2, 2), None]),
)
def test_results_do_not_depend_on_threads_requests_or_batches(numbers, batch_size, threads, requests, size):
    backend = Remainders()
    prediction = Prediction(Numbers(size), backend, None, batch_size, 1, threads, requests)
    assert list(prediction.predict([str(number).encode() for number in numbers])) == expected(numbers)
    assert Counter(itertools.chain(*backend.ran)) == Counter(number for number in numbers if number >= 0)
    assert max(map(len, backend.ran), default=0) <= batch_size


def test_a_batch_that_is_done_first_waits_for_those_before_it():
    later_is_done = threading.Event()

    def first_waits(number):
        if number == 0:
            wait(later_is_done)
        if number == 1:
            later_is_done.set()

    prediction = Prediction(Numbers(), Remainders(first_waits), batch_size=1, topk=1, requests=2)
    assert list(prediction.predict(pictures(5))) == expected(range(5))


@pytest.mark.parametrize("requests", [1, 2, 3])
def test_so_many_batches_run_at_once(requests):
    together, running, most = threading.Barrier(requests), [], []

    def meet(number):
        running.append(number)
        together.wait(LONG)  # passes only if `requests` batches are here
        most.append(len(running))
        together.wait(LONG)
        running.remove(number)

    prediction = Prediction(Numbers(), Remainders(meet), batch_size=2, topk=1, requests=requests)
    assert list(prediction.predict(pictures(12))) == expected(range(12))
    assert max(most) <= requests


def test_the_next_pictures_are_read_while_a_batch_runs():
    read, pipeline = threading.Event(), Numbers(before=lambda number: read.set() if number == 1 else None)
    prediction = Prediction(pipeline, Remainders(lambda number: wait(read)), batch_size=1, topk=1, threads=1)
    assert list(prediction.predict(pictures(3))) == expected(range(3))


def test_the_next_batch_runs_while_the_caller_has_a_result():
    ran = threading.Event()
    backend = Remainders(lambda number: ran.set() if number == 1 else None)
    results = iter(Prediction(Numbers(), backend, batch_size=1, topk=1).predict(pictures(3)))
    assert next(results) == expected([0])[0]
    wait(ran)


@pytest.mark.parametrize(("batch_size", "requests", "ahead"), [(1, 1, 3), (4, 1, 12), (2, 3, 14)])
def test_no_more_is_read_than_two_batches_a_request_beyond_the_present_one(batch_size, requests, ahead):
    pipeline = Numbers()
    prediction = Prediction(pipeline, Remainders(), None, batch_size, 1, 2, requests)
    results = iter(prediction.predict(pictures(100)))
    assert pipeline.read == []  # nothing before the first result is asked for
    for _ in range(batch_size):
        next(results)
    prediction._pools.get().readers.shutdown()  # once all that was begun is read
    assert sorted(pipeline.read) == list(range(ahead))
    results.close()


def test_who_stops_early_leaves_nothing_behind():
    begun, closed = threading.Event(), threading.Event()

    def third_waits(number):
        if number == 2:
            begun.set()
            wait(closed)

    pipeline = Numbers(before=third_waits)
    prediction = Prediction(pipeline, Remainders(), batch_size=1, topk=1, threads=1, requests=2)
    results = iter(prediction.predict(pictures(100)))
    assert [next(results), next(results)] == expected([0, 1])
    wait(begun)
    results.close()
    closed.set()
    pools = prediction._pools.get()
    left = [*pools.readers.threads, *pools.runners.threads]
    assert [thread.is_alive() for thread in left] == [True] * 3
    del prediction, results, pools
    gc.collect()
    for thread in left:
        thread.join()
    assert not any(thread.is_alive() for thread in left)
    assert pipeline.read == [0, 1, 2]


class Broken(Exception):
    pass


def fail(number):
    if number == 5:
        raise Broken("5")


@pytest.mark.parametrize(
    ("pipeline", "backend"), [(Numbers(before=fail), Remainders()), (Numbers(), Remainders(fail))], ids=["read", "run"]
)
@pytest.mark.parametrize("requests", [1, 2])
def test_an_exception_comes_once_and_in_its_place(pipeline, backend, requests):
    prediction = Prediction(pipeline, backend, batch_size=1, topk=1, requests=requests)
    results = iter(prediction.predict(pictures(100)))
    assert [next(results) for _ in range(5)] == expected(range(5))
    with pytest.raises(Broken, match=r"^5$"):
        next(results)
    assert list(results) == []
    assert list(prediction.predict(pictures(5))) == expected(range(5))  # and it can be used again


@pytest.fixture
def ctrl_c():
    """A signal whose first arrival is a Ctrl-C; gives how to send it, and returns when it has arrived."""
    arrived = threading.Event()

    def interrupt(number, frame):
        if not arrived.is_set():
            arrived.set()
            raise KeyboardInterrupt

    def send():
        # Again and again: one that comes just before a thread begins to wait for a lock is noticed after the waiting.
        while not arrived.wait(0.01):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    before = signal.signal(signal.SIGINT, interrupt)
    yield send
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_reaches_who_waits_for_a_batch(ctrl_c):
    waits, interrupted = threading.Event(), threading.Event()

    class Telling(Prediction):
        def _results(self, batch):
            waits.set()
            return super()._results(batch)

    def hang(number):
        wait(waits)  # before that, batches are still begun, and one might run because nobody knows it yet
        ctrl_c()
        wait(interrupted)

    backend = Remainders(hang)
    prediction = Telling(Numbers(), backend, batch_size=1, topk=1)
    with pytest.raises(KeyboardInterrupt):
        next(iter(prediction.predict(pictures(100))))
    interrupted.set()
    prediction._pools.get().runners.shutdown()
    assert backend.ran == [[0]]


def test_pictures_are_put_where_the_backend_reads_them():
    places, batches = [], []

    class Noting(Numbers):
        def __call__(self, data, rng=None, out=None):
            places.append(out)
            return super().__call__(data, rng, out)

    class Keeping(Remainders):
        def run(self, batch):
            batches.append(batch)
            return super().run(batch)

    list(Prediction(Noting(), Keeping(), batch_size=3, topk=1, threads=1).predict([b"3", b"4", b"5"]))
    (batch,) = batches
    assert all(place.base is batch for place in places)
    assert batch.reshape(3, 4).tolist() == [[3] * 4, [4] * 4, [5] * 4]


def test_sizes_that_differ_within_a_batch_are_named():
    class Growing(Numbers):
        def __call__(self, data, rng=None, out=None):
            return np.zeros((1, 2, 2 + int(data)), np.float32)

    alone = Prediction(Growing(None), Remainders(), batch_size=1, topk=1)
    assert len(list(alone.predict(pictures(2)))) == 2
    assert refusal(list, Prediction(Growing(None), Remainders(), batch_size=2, topk=1).predict(pictures(2))) == says(
        "0 and 1 have different sizes ..., [1, 2, 2] and [1, 2, 3]; put CropImage or ResizeImage "
        "with size ..., or ... a batch size of 1"
    )
