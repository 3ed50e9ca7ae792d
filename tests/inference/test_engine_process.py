"""Engines in processes of their own: they run batches beside each other, and end with the process that made them."""

import gc
import os
import signal
import subprocess
import sys
import threading
from multiprocessing.connection import Connection

import numpy as np
import pytest

from helpers.messages import refusal, says
from ppcls.config.tensorrt import TensorRT
from ppcls.inference import Bundle
from ppcls.inference.backends import engine_process, open_backend
from ppcls.inference.backends.engine_process import EngineProcess
from ppcls.inference.backends.paddle import PaddleBackend
from ppcls.inference.settings import Settings
from ppcls.utils import child
from ppcls.utils.errors import Unavailable, UserError

BATCHES = [np.random.default_rng(n).standard_normal((n, 3, 32, 32)).astype(np.float32) for n in (1, 3, 2, 5)]


@pytest.fixture
def two(exported, forked_engines):
    """A backend of two processes."""
    return PaddleBackend(Bundle.load(exported), Settings(threads=2, requests=2))


def test_the_scores_are_those_of_one_process_and_two_can_be_had(exported, tmp_path, monkeypatch):
    """Opened in a folder of another `ppcls`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ppcls.py").write_text("raise SystemExit('another ppcls was imported')")
    two = PaddleBackend(Bundle.load(exported), Settings(threads=2, requests=2))
    alone = open_backend(Bundle.load(exported), Settings(threads=1))
    answers = {}

    def ask(number):
        answers[number] = two.run(BATCHES[number])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(BATCHES))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, batch in enumerate(BATCHES):
        np.testing.assert_array_equal(answers[number], alone.run(batch))
    with two._pool.take() as first, two._pool.take() as second:
        assert first._process.pid != second._process.pid
        assert {first._process.poll(), second._process.poll()} == {None}
        os.kill(first._process.pid, signal.SIGINT)  # Ctrl-C reaches all processes of a terminal
        os.kill(first._process.pid, signal.SIGTERM)  # and this one all of a service
        assert first.run(BATCHES[0]).shape == (1, 5)
        processes = [first._process, second._process]
    del first, second
    two._pool = None
    gc.collect()
    assert [process.poll() for process in processes] == [0, 0]


def test_they_end_with_their_maker(two):
    with two._pool.take() as one, two._pool.take() as other:
        processes = [one._process, other._process]
    del one, other
    two._pool = None
    gc.collect()
    assert [process.poll() for process in processes] == [0, 0]


def test_they_end_though_another_process_holds_their_socket(two):
    with two._pool.take() as one:
        process, held = one._process, one._channel.fileno()
    del one
    holder = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[held])
    killed_after = threading.Timer(30, process.kill)  # so that a fault is no endless test
    killed_after.start()
    two._pool = None
    gc.collect()
    killed_after.cancel()
    assert process.poll() == 0
    assert holder.poll() is None
    holder.communicate(b"\n")


def test_one_that_does_not_end_is_killed(two, monkeypatch):
    monkeypatch.setattr(engine_process, "SECONDS_TO_END", 0.01)
    with two._pool.take() as one:
        process = one._process
    os.kill(process.pid, signal.SIGSTOP)
    del one
    two._pool = None
    gc.collect()
    assert process.poll() == -signal.SIGKILL


def test_a_forked_copy_leaves_its_parents_alone(two, exported, monkeypatch):
    alone = open_backend(Bundle.load(exported), Settings(threads=1))
    with two._pool.take() as one:
        socket_of_parent = Connection(os.dup(one._channel.fileno()))
        with monkeypatch.context() as forked:
            forked.setattr(os, "getpid", lambda: -1)
            one._end()
        one._channel = socket_of_parent
        np.testing.assert_array_equal(one.run(BATCHES[2]), alone.run(BATCHES[2]))
        socket_of_parent.close()
        assert one._process.wait() == 0


def test_one_that_is_killed_is_said(two):
    with two._pool.take() as one:
        one._process.kill()
        one._process.wait()
    assert refusal(two.run, BATCHES[3]) == says(
        "... ended with code -9; ... lower Global.requests or Global.batch_size"
    )
    assert two.run(BATCHES[3]).shape == (5, 5)  # by another


def test_what_is_no_batch_ends_one_with_its_reason(two):
    with two._pool.take() as one:
        one._channel.send((2, "three"))
        with pytest.raises(TypeError, match="'str' object cannot be interpreted as an integer"):
            one.run(BATCHES[0])
        assert one.run(BATCHES[0]).shape == (1, 5)


class Interrupted:
    """A channel at which Ctrl-C comes in the midst of the first call of one method."""

    def __init__(self, channel, during):
        self.channel, self.during = channel, during

    def __getattr__(self, name):
        return self.interrupt if name == self.during else getattr(self.channel, name)

    def interrupt(self, *content):
        if self.during == "send_bytes":
            os.write(self.channel.fileno(), b"\0\0\1\0 some")
        if self.during == "recv_bytes_into":
            os.read(self.channel.fileno(), 7)
        self.during = None
        raise KeyboardInterrupt


@pytest.mark.parametrize("during", ["send", "send_bytes", "recv", "recv_bytes_into"])
def test_after_ctrl_c_a_batch_gets_its_own_scores(two, exported, during):
    alone = open_backend(Bundle.load(exported), Settings(threads=1))
    with two._pool.take() as one:
        interrupted, one._channel = one._process, Interrupted(one._channel, during)
    with pytest.raises(KeyboardInterrupt):
        two.run(BATCHES[1])
    for batch in (BATCHES[3], BATCHES[2]):
        np.testing.assert_array_equal(two.run(batch), alone.run(batch))
    assert interrupted.poll() is not None


def test_another_end_is_not_said_to_be_of_memory(exported, monkeypatch):
    monkeypatch.setattr(child, "command", lambda *words: [sys.executable, "-c", "raise SystemExit(3)"])
    assert refusal(open_backend, Bundle.load(exported), Settings(threads=2, requests=2)) == says(
        "... ended with code 3; what it printed says why"
    )


def test_a_batch_that_fails_is_the_only_one(exported, two):
    alone = open_backend(Bundle.load(exported), Settings(threads=1))
    four_channels = np.zeros((2, 4, 32, 32), np.float32)
    with pytest.raises(Exception, match=r"channel") as expected:
        alone.run(four_channels)
    with two._pool.take() as one:
        before = one._process.pid
        for _ in range(2):
            with pytest.raises(type(expected.value), match=r"channel"):
                one.run(four_channels)
            np.testing.assert_array_equal(one.run(BATCHES[1]), alone.run(BATCHES[1]))
        assert one._process.pid == before


def test_what_is_wrong_is_said_as_by_one_process(exported, copy, forked_engines):
    (copy / "inference.pdiparams").write_bytes(b"other")
    with pytest.raises(UserError, match=r"inference.pdiparams is not the file that inference.yml describes"):
        open_backend(Bundle.load(copy), Settings(requests=2))
    with pytest.raises(Unavailable, match=r"^Paddle computes in bfloat16 by oneDNN's kernels alone"):
        open_backend(Bundle.load(exported), Settings(precision="bfloat16", onednn=False, requests=2))


def test_cores_are_shared(exported, monkeypatch):
    seen = []

    class Process(EngineProcess):
        def __init__(self, bundle, settings):
            seen.append(settings)

        def _loaded(self):
            seen.append("loaded")

    bundle = Bundle.load(exported)
    Process.start_all(bundle, Settings(threads=8, requests=3))
    assert seen == [Settings(threads=2)] * 3 + ["loaded"] * 3
    seen.clear()
    Process.start_all(bundle, Settings(threads=1, requests=2))
    assert seen == [Settings(threads=1)] * 2 + ["loaded"] * 2


def test_the_first_builds_tensorrts_engines_for_all(exported, monkeypatch):
    order = []

    class Process(EngineProcess):
        def __init__(self, bundle, settings):
            order.append("started")
            self._settings, self._ready = settings, False

        def _answer(self):
            order.append("loaded")

    settings = Settings(device="gpu", threads=2, requests=2, tensorrt=TensorRT())
    Process.start_all(Bundle.load(exported), settings, one_first=True)
    assert order == ["started", "loaded", "started", "loaded"]


def test_a_process_that_never_loads_is_not_waited_for(exported, monkeypatch):
    """As one in which Paddle waits for threads that there was no memory for."""
    silent = [sys.executable, "-c", "import signal; signal.pause()"]
    monkeypatch.setattr(child, "command", lambda *_: silent)
    monkeypatch.setattr(engine_process, "SECONDS_TO_LOAD", 0.1)
    message = refusal(EngineProcess.start_all, Bundle.load(exported), Settings(threads=1, requests=1))
    assert message.startswith(f"an engine's process has not loaded {exported} in 0.1 s; lower Global.requests")
