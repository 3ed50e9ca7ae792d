"""What surrounds a call from Python: nothing of the process is changed when it returns."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

from ppcls.engine.signals import StoppedBySignal
from ppcls.kernels import selection
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.logging import as_it_was


@contextlib.contextmanager
def session() -> Iterator[None]:
    """Load Paddle; afterwards put back the log, the kernels, Paddle's device and the states of its random generators.

    Raises:
        KeyboardInterrupt: Ctrl-C ended the run, whose state is saved.
        SystemExit: SIGTERM or SIGHUP ended it.
    """
    paddle = load_paddle()
    device = paddle.get_device()
    states = paddle.get_rng_state()
    on_cpu = paddle.get_rng_state("cpu")
    with as_it_was(), selection.as_it_was():
        try:
            yield
        except StoppedBySignal as interruption:
            if interruption.exit_code == 128 + signal.SIGINT:
                raise KeyboardInterrupt from None
            raise SystemExit(interruption.exit_code) from None
        finally:
            # Paddle 3.0 cannot set the state of a device that it is told by name
            paddle.set_device("cpu")
            paddle.set_rng_state(on_cpu)
            paddle.set_device(device)
            paddle.set_rng_state(states)
