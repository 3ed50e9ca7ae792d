"""Whether the activations of a forward pass have their channels last, which the layers of `ppcls.arch` ask."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class _Layout(threading.local):
    channels_last = False


_LAYOUT = _Layout()


def is_channels_last() -> bool:
    """Return whether this thread is within `channels_last`."""
    return _LAYOUT.channels_last


@contextlib.contextmanager
def channels_last(enabled: bool = True) -> Iterator[None]:
    """Let the layers take and give [N, H, W, C] during a `with` block, or [N, C, H, W] if not `enabled`."""
    before = _LAYOUT.channels_last
    _LAYOUT.channels_last = enabled
    try:
        yield
    finally:
        _LAYOUT.channels_last = before
