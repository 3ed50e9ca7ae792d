"""A request to stop is noted once, and the handlers of before come back."""

import os
import signal
import threading

from ppcls.engine.signals import StoppedBySignal, StopRequest


def test_first_signal_counts_and_handlers_return():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with StopRequest() as stop:
        assert not stop
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.signum == signal.SIGTERM
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_exit_codes_are_the_shells():
    assert (StoppedBySignal(signal.SIGINT).exit_code, StoppedBySignal(signal.SIGTERM).exit_code) == (130, 143)
    assert str(StoppedBySignal(signal.SIGTERM)) == "stopped by SIGTERM"


def test_outside_the_main_thread_the_owner_keeps_the_signals():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with StopRequest() as stop:
            seen.append((bool(stop), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]


def test_a_closed_terminal_counts_unless_it_is_ignored():
    # nohup, which may have started the tests, ignores the signal
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with StopRequest() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.signum == signal.SIGHUP
        assert StoppedBySignal(signal.SIGHUP).exit_code == 129
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with StopRequest() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.signum is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
