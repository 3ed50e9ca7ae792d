"""Which package of somebody else's did not load, read from the exception that an import ended with."""

from __future__ import annotations

import importlib.machinery
import re
import sys
import traceback
from pathlib import Path
from types import FrameType

_PACKAGE = Path(__file__).resolve().parents[1]
_OURS = (
    _PACKAGE,
    _PACKAGE.parent / "tools",
    _PACKAGE.parent / "deploy",
    _PACKAGE.parent / "benchmarks",
)
# How the loader of Linux, macOS and Windows says that a library cannot be loaded.
NOT_LOADED = re.compile(
    r"cannot open shared object file|undefined symbol|invalid ELF header|wrong ELF class|file too short|"
    r"version `\S+' not found|cannot enable executable stack|failed to map segment|"
    r"Library not loaded|Symbol not found|image not found|incompatible architecture|DLL load failed"
)


def failed_package(error: BaseException) -> str | None:
    """Return the top-level module of the package that did not load; None if no package is to blame.

    In the traceback, below the last frame of this library, stands the code of the package that was imported, or no
    frame at all if the package is one compiled file.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    file = _unusable_file(error, frames)
    if file is not None:
        return _module_of(file)
    frames = _frames_of_others(frames)
    if not frames:
        return _compiled_package(error)
    module = str(frames[0].f_globals.get("__name__", "")).partition(".")[0]
    if module and _is_about_import(error, frames[0]):
        return module
    return None


def reason_of(error: BaseException) -> str:
    """Return what went wrong first, in one line; some packages print pages of advice around it."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if isinstance(error, ImportError):
        return lines[0]
    return f"{type(error).__name__}: {lines[0]}"


def _unusable_file(error: BaseException, frames: list[FrameType]) -> Path | None:
    """Return the file of another package that `import` could not compile or read."""
    name = getattr(error, "filename", None)
    if not name:
        return None
    path = Path(name)
    if isinstance(error, SyntaxError):
        is_unusable = not _is_ours(path)
    else:
        # An OSError, and it is `import` that was reading
        is_unusable = bool(frames) and _is_importlib(frames[-1])
    return path if is_unusable else None


def _frames_of_others(frames: list[FrameType]) -> list[FrameType]:
    """Return the frames below the last one of this library or of the program, without those of `import` itself."""
    below: list[FrameType] = []
    for frame in reversed(frames):
        is_program = frame.f_globals.get("__name__") == "__main__"
        if is_program or _is_ours(Path(frame.f_code.co_filename)):
            break
        if not _is_importlib(frame):
            below.insert(0, frame)
    return below


def _compiled_package(error: BaseException) -> str | None:
    """Return the package that is one compiled file, which has no frames."""
    if not isinstance(error, ImportError) or not error.name or error.path is None:
        return None
    if not error.path.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES)):
        return None
    return error.name.split(".")[0]


def _is_about_import(error: BaseException, first: FrameType) -> bool:
    """Whether an error ended an import; `first` is the outermost frame of the other package."""
    if isinstance(error, ImportError) or first.f_code.co_name == "<module>":
        return True
    if not isinstance(error, OSError) or error.errno is not None:
        return False
    # ctypes reports a library that does not load without a number
    return NOT_LOADED.search(str(error)) is not None


def _is_ours(path: Path) -> bool:
    return any(map(path.is_relative_to, _OURS))


def _module_of(path: Path) -> str | None:
    """Return the top-level module that a file belongs to."""
    for folder in sys.path:
        if folder and path.is_relative_to(folder):
            return path.relative_to(folder).with_suffix("").parts[0]
    return None


def _is_importlib(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").split(".")[0] == "importlib"
