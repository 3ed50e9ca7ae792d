"""Suppresses what libraries write to stderr about damaged pictures: the picture's own row says what is wrong."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import logging
import warnings
from pathlib import Path

import PIL


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
