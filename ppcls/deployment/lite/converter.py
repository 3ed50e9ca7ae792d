"""Convert a bundle's program for Paddle Lite and run the result, each in a child process; see `worker`."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from ppcls.inference.backends import Backend
from ppcls.inference.backends.adapted import adapted
from ppcls.inference.bundle import Bundle
from ppcls.utils.errors import UserError

X86 = "x86"
_WORKER = Path(__file__).with_name("worker.py")


def convert(
    python: Path, bundle: Bundle, out: Path, target: str, precision: str
) -> None:
    """Write a program for Paddle Lite.

    Args:
        python: From `lite_python`.
        bundle: A bundle with a program of Paddle 2.
        out: The file, whose name ends in `.nb`.
        target: `arm` or `x86`.
        precision: `float32` or `int8`.

    Raises:
        UserError: paddlelite fails; the message has its reason.
    """
    files = (bundle.path_of(bundle.program), bundle.path_of(bundle.parameters))
    done = subprocess.run(
        _command(python, "convert", *files, out, target, precision),
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode or not out.is_file():
        raise UserError(
            f"paddlelite could not convert {bundle.folder} ({_reason(done.stderr)}); export the model again with "
            "--format pdmodel"
        )


@contextlib.contextmanager
def running(python: Path, bundle: Bundle, file: Path) -> Iterator[Backend]:
    """Open a converted program as a backend for the time of a `with` block.

    Args:
        python: From `lite_python`.
        bundle: The bundle that the program is of.
        file: A program for x86. One for ARM must not be given: here it gives wrong scores without an error.
    """
    with tempfile.TemporaryFile() as errors:
        process = _Process(python, file, errors)
        try:
            process.wait_until_loaded()
            yield adapted(process, bundle)
        finally:
            process.end()


class _Process:
    """A program that runs in a child process, for one thread."""

    def __init__(self, python: Path, file: Path, errors: IO[bytes]) -> None:
        self._file = file
        self._errors = errors
        self._child = subprocess.Popen(
            _command(python, "run", file),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )

    def wait_until_loaded(self) -> None:
        """Wait for the first answer, which has no scores.

        Raises:
            UserError: The process has ended.
        """
        self._answer()

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to what the program gives, float32 [N, class_num].

        Raises:
            UserError: The process has ended.
        """
        channel: Any = self._child.stdin
        try:
            channel.write(np.array([batch.ndim, *batch.shape], "<i8").tobytes())
            channel.write(np.ascontiguousarray(batch, "<f4").data.cast("B"))
            channel.flush()
        except BrokenPipeError:
            raise self._failure() from None
        return self._answer()

    def _answer(self) -> np.ndarray:
        axes = int.from_bytes(self._read(8), "little")
        shape = np.frombuffer(self._read(8 * axes), "<i8")
        if not axes:
            return np.empty(0, np.float32)
        content = self._read(4 * int(np.prod(shape)))
        return np.frombuffer(content, "<f4").reshape(shape)

    def _read(self, size: int) -> bytes:
        channel: Any = self._child.stdout
        content = channel.read(size)
        if len(content) < size:
            raise self._failure()
        return content

    def _failure(self) -> UserError:
        self._child.wait()
        self._errors.seek(0)
        reason = _reason(self._errors.read().decode("utf-8", "replace"))
        return UserError(
            f"Paddle Lite ended while it ran {self._file} ({reason}); free memory if it is short, and convert again"
        )

    def end(self) -> None:
        """End the process, which has nothing more to read."""
        self._child.communicate()


def _command(python: Path, *arguments: object) -> list[str]:
    """The command of the worker, without variables and folders of this process's Python."""
    return [str(python), "-I", str(_WORKER), *map(str, arguments)]


def _reason(output: str) -> str:
    """The line of a failed check of paddlelite, otherwise the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for line in lines:
        _, found, reason = line.partition("Check failed: ")
        if found:
            return reason
    return lines[-1] if lines else "it printed nothing"
