"""Describes what the system ran short of: memory, file descriptors, threads or processes, with the remedy.

`ppcls.__main__` asks about every exception that ends a command. Nothing but the standard library is imported here.
"""

from __future__ import annotations

import errno
import os
import re

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_SHOWN = 150
# What libraries say where memory, or a thread, is not to be had
_MEMORY = re.compile(
    r"bad_alloc|ResourceExhausted|[Oo]ut of memory|[Cc]annot allocate memory|fail(ed)? to alloc|"
    r"failed to map segment|Insufficient memory",
    re.IGNORECASE,
)
_THREAD = re.compile(
    r"can't (start|create|allocate).* thread|std::system_error|"
    rf"^{re.escape(os.strerror(errno.EAGAIN))}"  # std::system_error's own text
)
_LIBRARY = re.compile(
    r"failed to map segment|cannot allocate memory in static TLS block"
)


def shortage(error: BaseException) -> str | None:
    """Say what was short and what to do.

    Args:
        error: The exception that ended a command.

    Returns:
        One sentence; None if the exception is about something else.
    """
    if isinstance(error, OSError) and error.errno in _SYSTEM:
        return _SYSTEM[error.errno](error)
    text = str(error)
    if isinstance(error, MemoryError) or _is_unmapped_library(error):
        return _no_memory(text)
    is_of_opencv = type(error).__module__ == "cv2"
    if not is_of_opencv and not isinstance(error, (RuntimeError, OSError)):
        return None
    if _THREAD.search(text):
        return _no_thread(error)
    return _no_memory(text) if _MEMORY.search(text) else None


def _is_unmapped_library(error: BaseException) -> bool:
    """Whether an import failed because a library did not fit into the address space."""
    if not isinstance(error, ImportError) or not _LIBRARY.search(str(error)):
        return False
    # Without a limit the cause is another, such as a file system that forbids programs
    return _limit("RLIMIT_AS") is not None


def _no_memory(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if _MEMORY.search(line)]
    reason = f" ({lines[0][:_SHOWN]})" if lines else ""
    limit = _limit("RLIMIT_AS")
    if limit is not None:
        return (
            f"out of memory{reason}: this process is limited to {limit / 1e9:.1f} GB of address space; raise the limit "
            "(ulimit -v), or lower the batch size and num_workers"
        )
    return f"out of memory{reason}; lower the batch size and num_workers, or end other programs"


def _no_descriptor(error: OSError) -> str:
    limit = _limit("RLIMIT_NOFILE")
    place = f"{error.filename}: " if error.filename else ""
    if error.errno == errno.ENFILE or limit is None:
        return f"{place}the system has no file descriptors left; end other programs"
    return (
        f"{place}no file descriptors left, of which this process may have {limit}; raise the limit (ulimit -n), or "
        "lower num_workers"
    )


def _no_thread(error: BaseException) -> str:
    return (
        f"the system gives this process no more threads or processes ({str(error).splitlines()[0][:_SHOWN]}); raise "
        "the limit (ulimit -u), lower num_workers, or end other programs"
    )


def _limit(name: str) -> int | None:
    """The soft limit of this process; None where there is none."""
    if resource is None:
        return None
    soft = resource.getrlimit(getattr(resource, name))[0]
    return None if soft == resource.RLIM_INFINITY else soft


_SYSTEM = {
    errno.ENOMEM: lambda error: _no_memory(str(error)),
    errno.EMFILE: _no_descriptor,
    errno.ENFILE: _no_descriptor,
    errno.EAGAIN: _no_thread,
}
