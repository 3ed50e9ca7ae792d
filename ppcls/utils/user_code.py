"""User code: Python files that register components, named by `--import` or the variable `PPCLS_IMPORTS`.

Only the command line and the environment name such files. A configuration, a bundle or a checkpoint cannot.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType, TracebackType

from ppcls.utils import environment
from ppcls.utils.errors import Unavailable, UserError, expect, translated
from ppcls.utils.load_paddle import without_chatter
from ppcls.utils.logging import get_logger

# Files separated as in PATH. Child processes find here what this process has loaded.
VARIABLE = "PPCLS_IMPORTS"

# The SHA-256 of each file that this process has loaded
_digests: dict[Path, str] = {}


def load(files: Sequence[str] = ()) -> None:
    """Run the files of `PPCLS_IMPORTS` and then `files`, each once per process.

    Args:
        files: Paths of Python files.

    Raises:
        UserError: A file cannot be read, or its code raises an exception.
    """
    named = os.environ.get(VARIABLE, "").split(os.pathsep)
    for file in filter(None, named):
        _load(file, VARIABLE)
    for file in files:
        expect(
            os.pathsep not in file,
            f"--import {file}: the path has {os.pathsep!r} in it, which separates the files in {VARIABLE}; "
            "rename it",
        )
        _load(file, "--import")
    if _digests:
        os.environ[VARIABLE] = os.pathsep.join(map(str, _digests))


def files() -> list[Path]:
    """The files that this process has loaded, in their order."""
    return list(_digests)


def digests() -> dict[str, str]:
    """The SHA-256 of each file that is loaded, by the file's name, or by its path where two have the same name."""
    count = Counter(path.name for path in _digests)
    named = {}
    for path, digest in _digests.items():
        named[path.name if count[path.name] == 1 else str(path)] = digest
    return named


def log() -> None:
    """Log which files are loaded: one line per file, with its digest."""
    for path, digest in _digests.items():
        get_logger().info("user code: %s (sha256 %s)", path, digest)


def difference(saved: Mapping[str, str]) -> str | None:
    """How the loaded files differ from those of a checkpoint, as part of a sentence; None if they do not.

    Args:
        saved: The checkpoint's `digests()`.
    """
    current = digests()
    parts = []
    for name in sorted({*saved, *current}):
        then, now = saved.get(name), current.get(name)
        if now is None:
            parts.append(f"{name} is not loaded")
        elif then is None:
            parts.append(f"{name} is new")
        elif then != now:
            parts.append(f"{name} has sha256 {now}, not {then}")
    return "; ".join(parts) or None


def _load(file: str, origin: str) -> None:
    path = Path(os.path.abspath(file))  # noqa: PTH100 (links stay as the user wrote them)
    if path in _digests:
        return
    with translated(
        OSError,
        lambda error: UserError(
            f"{origin} {file}: cannot be read ({error.strerror}); give the path of a Python file"
        ),
    ):
        source = path.read_bytes()
    digest = hashlib.sha256(source).hexdigest()
    _run(path, source, digest)
    _digests[path] = digest


def _run(path: Path, source: bytes, digest: str) -> None:
    """Run a file as a module. Its name is the same in every process, so its classes can be pickled."""
    stem = re.sub(r"\W", "_", path.stem)
    module = ModuleType(f"ppcls_user_code_{stem}_{digest[:8]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        with without_chatter():
            exec(compile(source, str(path), "exec"), module.__dict__)
    except UserError:
        raise
    except Exception as error:
        place = _place(path, error)
        fault = None
        if getattr(error, "filename", None) != str(path):
            fault = environment.fault(error.with_traceback(_below(path, error)))
        if fault is not None:
            raise Unavailable(f"{place}: {fault}") from error
        raise UserError(
            f"{place}: {_text(error)}; correct this file of user code, or leave it out"
        ) from error


def _place(path: Path, error: Exception) -> str:
    """The file and the line that raised the error."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}:{error.lineno}"
    place = str(path)
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == str(path):  # the innermost one comes last
            place = f"{path}:{frame.lineno}"
    return place


def _below(path: Path, error: Exception) -> TracebackType | None:
    """The traceback without the frames of the file and of its callers: what an import in the file ran into."""
    below = None
    following = error.__traceback__
    while following is not None:
        if following.tb_frame.f_code.co_filename == str(path):
            below = following.tb_next
        following = following.tb_next
    return below


def _text(error: Exception) -> str:
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {message}"
