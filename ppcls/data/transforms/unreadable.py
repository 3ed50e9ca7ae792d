"""The errors of a picture that cannot be read."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import logging
import warnings
from pathlib import Path

import PIL

from ppcls.utils.errors import UserError


class UnreadableImage(UserError):
    """A file that holds no picture, or only part of one. `reason` says what is wrong, `path` where (None for bytes)."""

    def __init__(self, reason: str, path: str | None = None) -> None:
        self.reason = reason
        self.path = path
        super().__init__(
            f"cannot read the picture{f' {path}' if path else ''}: {reason}"
        )


class SystemShortage(UserError):
    """The system gives no file descriptor, say, to read a picture with. Another try may succeed."""


class NotEnoughMemory(UserError, MemoryError):
    """Memory does not suffice for a picture here and now. Another try may succeed, so the picture is not unreadable."""

    reason = "there is not enough memory to read it"

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path}: {self.reason}; close other programs, or lower the number of threads or workers"
        )


def expect_readable(condition: object, reason: str) -> None:
    """Check what a picture that can be read fulfils.

    Args:
        condition: Whether it does.
        reason: Why the picture cannot be read otherwise.

    Raises:
        UnreadableImage: It does not.
    """
    if not condition:
        raise UnreadableImage(reason)


def quiet_plugins() -> None:
    """Suppress the warnings of Pillow's plugins about metadata, which changes no pixel; they name site-packages.

    What the plugins log goes where a program sends its log, and nowhere if it sends it nowhere, instead of to stderr.
    """
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    warnings.filterwarnings(
        "ignore", category=UserWarning, module=r"PIL\.\w+ImagePlugin"
    )


@functools.cache
def quiet_libtiff() -> None:
    """Suppress the lines of the libtiff that Pillow decodes with; Pillow raises an error all the same."""
    package = Path(PIL.__file__).parent
    # Of Linux and macOS
    bundled = [
        *package.parent.glob("[Pp]illow.libs/libtiff*"),
        *package.glob(".dylibs/libtiff*"),
    ]
    name = str(bundled[0]) if bundled else ctypes.util.find_library("tiff")
    if name is None:
        return
    library = ctypes.CDLL(name)
    for handler in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        set_handler = getattr(library, handler)
        set_handler.restype = ctypes.c_void_p
        set_handler.argtypes = [ctypes.c_void_p]
        set_handler(None)
