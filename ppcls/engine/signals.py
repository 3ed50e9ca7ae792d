"""Ctrl-C, SIGTERM and a closed terminal as a request that the training loop honours between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class StoppedBySignal(Exception):
    """A signal ended the run after its state was saved; `exit_code` is the shell's: 130 or 143."""

    def __init__(self, signum: int) -> None:
        self.exit_code = 128 + signum
        super().__init__(f"stopped by {signal.Signals(signum).name}")


class StopRequest:
    """While entered, SIGINT, SIGTERM and SIGHUP only set `signum`; more of them change nothing.

    One that is ignored already, as `nohup` has it, stays ignored.

    So a save in progress is never cut short by an impatient second Ctrl-C.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self._previous: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return self.signum is not None

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self.signum is None:
            self.signum = signum

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is not threading.main_thread():
            # Python delivers signals to the main thread alone; its owner decides about them
            return self
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(signum) is signal.SIG_IGN:
                continue
            self._previous[signum] = signal.signal(signum, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)
