"""Values that a process must not take over from the one that it was forked from."""

import ctypes
import gc
import os
import sys
import threading
from pathlib import Path

import pytest

from helpers.forking import in_fork
from ppcls.utils import forks
from ppcls.utils.forks import PerProcess, loaded_before_fork


def test_each_process_makes_its_own_once():
    value = PerProcess(os.getpid)
    assert value.get() == os.getpid()
    seen = in_fork(lambda: (value.get(), value.get(), os.getpid()))
    assert seen[0] == seen[1] == seen[2] != os.getpid()
    assert value.get() == os.getpid()


def test_a_lock_that_another_thread_holds_does_not_come_along():
    inside, leave = threading.Event(), threading.Event()

    def slow():
        if threading.current_thread() is not threading.main_thread():
            inside.set()
            assert leave.wait(30)
        return os.getpid()

    value = PerProcess(slow)
    value._made = []
    thread = threading.Thread(target=value.get)
    thread.start()
    assert inside.wait(30)
    assert value._lock.locked()
    assert in_fork(lambda: value.get() == os.getpid())
    leave.set()
    thread.join()


class Noting:
    """Notes where it is destroyed."""

    destroyed: list[int] = []

    def __del__(self):
        self.destroyed.append(os.getpid())


def test_an_inherited_value_is_never_destroyed():
    value = PerProcess(Noting)

    def use_another():
        value.get()
        value._made = []  # the child's own
        gc.collect()
        return Noting.destroyed

    assert len(in_fork(use_another)) == 1
    assert Noting.destroyed == []
    value = None
    assert Noting.destroyed == [os.getpid()]


def test_a_fork_of_a_fork_makes_its_own_again():
    value = PerProcess(os.getpid)
    assert in_fork(lambda: (value.get(), in_fork(lambda: value.get() == os.getpid())))[1]


@pytest.mark.parametrize("native", [True, False])
def test_a_process_ends_without_the_destructors_of_inherited_libraries(native):
    libc = ctypes.CDLL(None)

    def status_of_a_fork():
        forks._values.clear()  # engines of other tests, whose memory has not been collected yet
        # In the place of a destructor: `raise` gets the exit status, and so ends the process by the signal 15.
        libc.on_exit(ctypes.cast(getattr(libc, "raise"), ctypes.c_void_p), None)
        value = PerProcess(os.getpid, native)
        child = os.fork()
        if child == 0:
            libc.exit(15)
        del value
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert in_fork(status_of_a_fork) == (15 if native else -15)


def test_modules_that_came_with_the_fork(monkeypatch):
    monkeypatch.setitem(sys.modules, "an_engine", sys)
    assert not loaded_before_fork("an_engine")  # this process was not forked

    def look():
        sys.modules["later"] = sys
        return loaded_before_fork("an_engine"), loaded_before_fork("later")

    assert in_fork(look) == (True, False)
    assert forks._modules == frozenset()


def stuck():
    threading.Event().wait()


def test_the_tests_own_forks_do_not_hang():
    with pytest.raises(AssertionError, match=r"(?s)^the forked process hangs:.* in stuck\n"):
        in_fork(stuck, seconds=0.1)
    with pytest.raises(AssertionError, match=r"^the forked process ended with code 3$"):
        in_fork(lambda: os._exit(3))


def test_the_tests_processes_have_no_openmp_threads_for_which_a_fork_could_wait():
    import paddle  # noqa: F401 - loads the library

    maps = Path("/proc/self/maps").read_text().split()
    libraries = {word for word in maps if Path(word).name == "libiomp5.so"}
    assert [ctypes.CDLL(library).omp_get_max_threads() for library in libraries] == [1]
