"""Threads and pools that give up in place of waiting for ever when memory is short."""

import _thread
import threading
from concurrent.futures import CancelledError, Future

import pytest

from ppcls.utils.threads import RunningThread, ThreadPool


def dies_at_once(run, arguments):
    """What `start_new_thread` comes to when the new thread has no memory for its first call."""


def refuse(run, arguments):
    raise RuntimeError("can't start new thread")


def no_memory(run, arguments):
    raise MemoryError


STARTS = [dies_at_once, refuse, no_memory]


@pytest.mark.parametrize("start", STARTS)
def test_a_thread_that_cannot_begin_is_an_error(start, monkeypatch):
    monkeypatch.setattr(_thread, "start_new_thread", start)
    with pytest.raises(RuntimeError, match=r"^can't start new thread"):
        RunningThread(list)


def test_a_thread_is_joined():
    go, done = threading.Event(), []

    def work():
        go.wait()
        done.append(threading.get_ident())

    thread = RunningThread(work)
    assert thread.is_alive()
    go.set()
    thread.join()
    assert not thread.is_alive()
    assert len(done) == 1 and done[0] != threading.get_ident()


@pytest.mark.parametrize("start", STARTS)
def test_without_threads_the_caller_works(start, monkeypatch):
    monkeypatch.setattr(_thread, "start_new_thread", start)
    pool = ThreadPool(3)
    futures = [pool.submit(lambda number: (number, threading.get_ident()), number) for number in range(5)]
    assert [future.result() for future in futures] == [(number, threading.get_ident()) for number in range(5)]
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result()


def test_one_thread_works_for_those_that_cannot_begin(monkeypatch):
    start, started = _thread.start_new_thread, []

    def only_one(run, arguments):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(start(run, arguments))

    monkeypatch.setattr(_thread, "start_new_thread", only_one)
    pool = ThreadPool(3)
    assert {pool.submit(threading.get_ident).result() for _ in range(5)} == set(started)
    assert len(pool.threads) == 1


def test_work_that_was_lost_with_its_thread_is_an_error(monkeypatch):
    def starved(self):
        raise MemoryError

    monkeypatch.setattr(Future, "set_running_or_notify_cancel", starved)
    future = ThreadPool(1).submit(list)
    with pytest.raises(MemoryError, match=r"^a thread died for want of memory$"):
        future.result()


def test_a_pool_is_shut_down():
    pool, begun, go = ThreadPool(1), threading.Event(), threading.Event()

    def work():
        begun.set()
        go.wait()
        return 7

    first, second = pool.submit(work), pool.submit(list)
    begun.wait()
    ending = RunningThread(lambda: pool.shutdown(cancel_futures=True))
    with pytest.raises(CancelledError):
        second.result()
    go.set()
    ending.join()
    assert first.result() == 7
    assert not pool.threads[0].is_alive()
    with pytest.raises(RuntimeError, match="takes no more work"):
        pool.submit(list)
