"""Values that a forked process must not inherit.

Only the thread that forks continues in the new process (gunicorn --preload, multiprocessing, celery). Thread pools are
empty there, locks of other threads stay locked for ever, and libraries such as OpenMP, Paddle and CUDA wait for threads
that do not exist.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """A value that each process makes for itself: the first one at once, a forked one on first use.

    Args:
        make: Makes the value.
        native: Whether a C library has threads for it. A forked process that inherits such a value ends without the
            destructors of C libraries, which would wait for these threads.
    """

    def __init__(self, make: Callable[[], T], native: bool = False) -> None:
        self._make = make
        self.native = native
        self._lock = threading.Lock()
        self._made: list[T] = [make()]  # or empty
        _values.add(self)

    def get(self) -> T:
        """Return this process's value."""
        if not self._made:
            with self._lock:
                if not self._made:
                    self._made.append(self._make())
        return self._made[0]

    def _forget(self) -> None:
        """Keep the inherited value for ever: its destructor would wait for threads that are not here."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._made))
        self._made = []
        self._lock = threading.Lock()


_values: weakref.WeakSet[PerProcess] = weakref.WeakSet()
_modules: frozenset[str] = frozenset()


def loaded_before_fork(module: str) -> bool:
    """Whether this is a forked process, and the module was imported before the fork."""
    return module in _modules


def _end_without_destructors() -> None:
    """Make `_exit` the first handler that `exit` calls, with its status, once Python has finished."""
    if hasattr(_LIBC, "on_exit"):  # of glibc
        _LIBC.on_exit(ctypes.cast(_LIBC._exit, ctypes.c_void_p), None)


def _after_fork_in_child() -> None:
    global _modules
    _modules = frozenset(sys.modules)
    inherited = list(_values)
    for value in inherited:
        value._forget()
    if any(value.native for value in inherited):
        _end_without_destructors()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    _LIBC = ctypes.CDLL(None)
    os.register_at_fork(after_in_child=_after_fork_in_child)
