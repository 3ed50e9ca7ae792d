"""Reads every picture once: whether it can be decoded, its content's digest, its size, colours and perceptual hash.

What was read is appended to a file, so that a scan that was interrupted continues, and a later one reads only files
that have changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import cv2
import numpy as np

from ppcls.data.picture_files import read_file
from ppcls.data.transforms.base import UnreadableImage
from ppcls.data.transforms.decode import DecodeImage
from ppcls.utils.child import CallProcess
from ppcls.utils.cpu import usable_cores
from ppcls.utils.errors import UserError, translated
from ppcls.utils.threads import ThreadPool

_DECODE = DecodeImage()
_TOGETHER = 16  # pictures of one task, so that tasks cost little beside the decoding
_THREADS = 8  # per process, where there are cores for several
_PER_CALL = 2048  # pictures that a process gets at once
_HEADER = ["ppcls check", 1]
# Pixels of the shorter side that are enough for colours and outline; reading all takes as long as decoding
_SAMPLED = 128


class Facts(NamedTuple):
    """What is known of a picture's file.

    Attributes:
        path: The file.
        size: Its bytes; -1 if it is not there.
        changed: When it was changed, in nanoseconds.
        error: Why it cannot be read; empty if it can.
        digest: BLAKE2b of its bytes, 16 bytes in hexadecimal; empty if they cannot be read.
        height: Pixels, upright.
        width: Pixels.
        mean: Mean red, green and blue, from 0 to 255.
        deviation: Standard deviation of the same.
        outline: 64 bits, each telling whether one of 8 x 8 places is brighter than its left neighbour. Copies in
            another size or quality differ in few of them (the difference hash, "dHash").
    """

    path: str
    size: int
    changed: int
    error: str = ""
    digest: str = ""
    height: int = 0
    width: int = 0
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    outline: int = 0


def scan(
    paths: Sequence[str],
    cache: Path | None = None,
    report: Callable[[int], Any] = lambda count: None,
) -> list[Facts]:
    """Read pictures on all cores.

    Args:
        paths: The files; one that is named twice is read once.
        cache: The file that keeps what was read; None keeps nothing.
        report: Is called with the number of pictures that were added.

    Returns:
        The facts in the order of `paths`.
    """
    known: dict[str, Facts] = {}
    missing = list(dict.fromkeys(paths))
    if cache is not None:
        known = _still_true(_read_cache(cache), missing)
        missing = [path for path in missing if path not in known]
        report(len(known))
    with _Cache(cache) as kept:
        for found in _read_all(missing):
            kept.add(found)
            known.update((facts.path, facts) for facts in found)
            report(len(found))
    return [known[path] for path in paths]


def examine(path: str) -> Facts:
    """Read one picture."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        return Facts(path, -1, 0, error.strerror or str(error))
    size, changed = status.st_size, status.st_mtime_ns
    try:
        data = read_file(path)
    except OSError as error:
        return Facts(path, size, changed, error.strerror or str(error))
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    try:
        pixels = _DECODE(data)
    except UnreadableImage as error:
        return Facts(path, size, changed, error.reason, digest)
    height, width = pixels.shape[:2]
    step = max(min(height, width) // _SAMPLED, 1)
    part = np.ascontiguousarray(pixels[::step, ::step])
    mean, deviation = cv2.meanStdDev(part)
    return Facts(
        path,
        size,
        changed,
        digest=digest,
        height=height,
        width=width,
        mean=tuple(mean.ravel().round(2).tolist()),
        deviation=tuple(deviation.ravel().round(2).tolist()),
        outline=outline_of(part),
    )


def outline_of(pixels: np.ndarray) -> int:
    """Return the 64 bits of a picture's outline.

    Args:
        pixels: uint8 [H, W, 3] in RGB.
    """
    small = cv2.resize(pixels, (9, 8), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.int16)  # [8, 9]
    bits = (gray[:, 1:] > gray[:, :-1]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _read_all(paths: Sequence[str]) -> Iterator[list[Facts]]:
    """Read pictures on all cores, in the order of `paths`.

    Threads decode side by side, but hold Python's lock for a tenth of the time, so that ten of them are the most that
    one process can use.
    """
    cores = usable_cores()
    count = cores // _THREADS
    is_worth_processes = count > 1 and len(paths) >= count * _PER_CALL
    if not is_worth_processes or os.name != "posix":
        yield from _read_by_threads(paths, cores)
        return
    with ExitStack() as stack:
        idle: SimpleQueue[CallProcess] = SimpleQueue()
        for _ in range(count):
            idle.put(stack.enter_context(closing(CallProcess())))

        def read(part: Sequence[str]) -> list[Facts]:
            process = idle.get()
            try:
                return process.call(_read_part, part, cores // count)
            finally:
                idle.put(process)

        with translated(
            ChildProcessError,
            lambda error: UserError(
                f"{error}, as it does when memory runs out; close other programs and run the command again: it goes on "
                "where it has stopped"
            ),
        ):
            yield from _in_order(read, _parts(paths, _PER_CALL), count)


def _read_part(paths: Sequence[str], threads: int) -> list[Facts]:
    return [each for found in _read_by_threads(paths, threads) for each in found]


def _read_by_threads(paths: Sequence[str], threads: int) -> Iterator[list[Facts]]:
    return _in_order(_examine_all, _parts(paths, _TOGETHER), threads)


def _parts(paths: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for first in range(0, len(paths), size):
        yield paths[first : first + size]


def _in_order(
    read: Callable[[Sequence[str]], list[Facts]],
    parts: Iterable[Sequence[str]],
    threads: int,
) -> Iterator[list[Facts]]:
    """Read parts by several threads, and give their facts in the order of the parts."""
    pool = ThreadPool(threads)
    running: deque[Future] = deque()
    for part in parts:
        running.append(pool.submit(read, part))
        if len(running) > 2 * threads:
            yield running.popleft().result()
    while running:
        yield running.popleft().result()


def _examine_all(paths: Sequence[str]) -> list[Facts]:
    return [examine(path) for path in paths]


def _still_true(cached: dict[str, Facts], paths: Iterable[str]) -> dict[str, Facts]:
    """Those of the cached facts whose files are wanted and have not changed."""
    found = {}
    for path in paths:
        facts = cached.get(path)
        if facts is None:
            continue
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:
            continue
        if (status.st_size, status.st_mtime_ns) == (facts.size, facts.changed):
            found[path] = facts
    return found


def _read_cache(file: Path) -> dict[str, Facts]:
    """Read what an earlier scan has kept; of a line that a killed one has cut nothing is taken."""
    found: dict[str, Facts] = {}
    if not file.is_file():
        return found
    with file.open(encoding="utf-8", errors="surrogateescape") as lines:
        if _parsed(next(lines, "")) != _HEADER:
            return found
        for line in lines:
            values = _parsed(line)
            if isinstance(values, list) and len(values) == len(Facts._fields):
                facts = Facts(*values)
                found[facts.path] = facts._replace(
                    mean=tuple(facts.mean), deviation=tuple(facts.deviation)
                )
    return found


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


class _Cache:
    """Appends facts to a file."""

    def __init__(self, file: Path | None) -> None:
        self._path = file
        self._file: Any = None

    def __enter__(self) -> _Cache:
        if self._path is None:
            return self
        self._path.parent.mkdir(parents=True, exist_ok=True)
        is_ours = False
        if self._path.is_file():
            with self._path.open(encoding="utf-8", errors="replace") as lines:
                is_ours = _parsed(next(lines, "")) == _HEADER
        self._file = self._path.open("a" if is_ours else "w", encoding="utf-8")
        if is_ours:
            self._file.write("\n")  # behind a line that was cut
        else:
            self._file.write(json.dumps(_HEADER) + "\n")
        return self

    def add(self, found: Iterable[Facts]) -> None:
        """Append facts, and hand them to the system."""
        if self._file is None:
            return
        for facts in found:
            self._file.write(json.dumps(facts) + "\n")
        self._file.flush()

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()
