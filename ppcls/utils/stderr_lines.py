"""Lines that compiled libraries write to standard error by themselves."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence


@contextlib.contextmanager
def without_stderr_lines(*parts: str) -> Iterator[None]:
    """Hold back standard error during a `with` block, and then write it without some lines.

    Args:
        parts: A line that contains one of them is left out.
    """
    try:
        screen = os.dup(2)
    except OSError:  # closed, as a daemon's may be
        yield
        return
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(screen, 2)
            os.close(screen)
            held.seek(0)
            _write_without(held, [part.encode() for part in parts])


def _write_without(lines: Iterable[bytes], unwanted: Sequence[bytes]) -> None:
    """Write lines to standard error, without those that contain an unwanted part."""
    for line in lines:
        if not any(part in line for part in unwanted):
            os.write(2, line)
