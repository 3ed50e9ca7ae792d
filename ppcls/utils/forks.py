"""What a forked process must not take over from the one that it was forked from.

Only the thread that forks goes on in the new process (gunicorn --preload, multiprocessing, celery). Pools have no
threads there, locks that other threads held stay locked for ever, and libraries such as OpenMP, Paddle and CUDA wait
for threads that are gone.
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
    """A value that each process makes for itself: the first at once, a forked one when it first needs the value.

    Args:
        make: makes the value.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: list[T] = [make()]  # or empty
        _values.add(self)

    def get(self) -> T:
        """This process's value."""
        if not self._made:
            with self._lock:
                if not self._made:
                    self._made.append(self._make())
        return self._made[0]

    def _forget(self) -> None:
        """Leaves the inherited value alone, for ever: its destructor would wait for threads that are not here."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._made))
        self._made = []
        self._lock = threading.Lock()


_values: weakref.WeakSet[PerProcess] = weakref.WeakSet()
_modules: frozenset[str] = frozenset()


def loaded_before_fork(module: str) -> bool:
    """Whether this is a forked process, and the module was imported before the fork."""
    return module in _modules


def _after_fork_in_child() -> None:
    global _modules
    _modules = frozenset(sys.modules)
    for value in list(_values):
        value._forget()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork_in_child)
