"""What backends share: the files that they run, and pools of items that serve one thread at a time."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from ppcls.inference.bundle import Bundle
from ppcls.inference.entries import ModelOrigin
from ppcls.inference.settings import Settings
from ppcls.utils.cpu import threads_for_inference
from ppcls.utils.errors import Unavailable, UserError, expect, expect_available
from ppcls.utils.threads import ThreadPool

if TYPE_CHECKING:
    from ppcls.inference.backends import Backend

T = TypeVar("T")
Run = Callable[[np.ndarray], np.ndarray]
_MESSAGE = 300  # characters of an engine's message; some are pages long
# Bytes of weights that stay in the caches from one picture to the next. The smallest models have 5 MiB, the next 48
_CACHED_WEIGHTS = 8 << 20


def in_parts(run: Run, batch: np.ndarray, most: int | None) -> np.ndarray:
    """Gives a batch to `run` in parts of at most `most` pictures (None: whole), and joins what it returns."""
    if most is None or len(batch) <= most:
        return run(batch)
    parts = [run(batch[first : first + most]) for first in range(0, len(batch), most)]
    return np.concatenate(parts)


def pictures_together(files: Iterable[Path], settings: Settings) -> int | None:
    """How many pictures an engine on a CPU computes at a time, by the files with the weights; None for all of a batch.

    A batch reads the weights once, which is quicker, but its activations need more memory than the caches have. Where
    the weights alone fit into them, fewer pictures are quicker: by 2 to 17 % than batches of 8 in float32, with
    OpenVINO and ONNX Runtime on one and two threads. The scores are equal.
    """
    if sum(file.stat().st_size for file in files) > _CACHED_WEIGHTS:
        return None
    threads = settings.threads or threads_for_inference()
    # The activations of int8 have a quarter of the bytes
    pictures = 4 * threads if settings.precision == "int8" else threads // 2
    return max(1, pictures // settings.requests)


class BackendPool(Generic[T]):
    """A pool of items that one thread at a time may use.

    The most recently used item is handed out first, because its memory is still in cache.
    """

    def __init__(self, items: Iterable[T]) -> None:
        self._free: queue.LifoQueue[T] = queue.LifoQueue()
        for item in items:
            self._free.put(item)

    @contextlib.contextmanager
    def take(self) -> Iterator[T]:
        """Waits for a free item, and gives it back afterwards."""
        item = self._free.get()
        try:
            yield item
        finally:
            self._free.put(item)


class PooledBackend:
    """A backend for several threads, of some that serve one thread each."""

    def __init__(self, backends: Iterable[Backend]) -> None:
        self._pool = BackendPool(backends)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the scores, float32 [N, class_num]."""
        with self._pool.take() as backend:
            return backend.run(np.ascontiguousarray(batch))


def engine_processes(
    bundle: Bundle, settings: Settings, one_first: bool = False
) -> list[Backend]:
    """Opens an engine in each of `settings.requests` processes; see `EngineProcess.start_all`."""
    # Rarely needed, takes time to load
    from ppcls.inference.backends.engine_process import EngineProcess

    return list(EngineProcess.start_all(bundle, settings, one_first))


def begin(work: Callable[..., T], *arguments: object) -> Callable[[], T]:
    """Start `work` in a thread, so that files are read while an engine is imported; without threads it is done at once.

    Returns:
        A function that waits for the work and returns its result, or raises its exception.
    """
    return ThreadPool(1).submit(work, *arguments).result


@contextlib.contextmanager
def loading(engine: str, file: Path) -> Iterator[None]:
    """Turn any exception of an engine that cannot load a program into one sentence.

    Raises:
        UserError: names the file.
    """
    try:
        yield
    except Exception as error:
        message = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{engine} cannot load {file} ({message[:_MESSAGE]}); export it again, with operators and an opset that "
            "this engine knows, and with its files of external data beside it"
        ) from error


def pictures_of_form_together(
    bundle: Bundle, files: Iterable[Path], settings: Settings
) -> int | None:
    """See `pictures_together`; an ONNX file of another library, whose weights may be elsewhere, gets whole batches."""
    if bundle.origin is ModelOrigin.ONNX:
        return None
    return pictures_together(files, settings)


def onnx_or_quantized(bundle: Bundle, settings: Settings) -> tuple[Path, ...]:
    """The files that an engine opens, the program first: the bundle's ONNX form, or for int8 the engine's own.

    Raises:
        Unavailable: the bundle has no such form.
        UserError: a file is damaged.
    """
    if bundle.origin is not ModelOrigin.BUNDLE:
        _require_float32_onnx(bundle, settings)
    if settings.precision == "int8":
        for form in bundle.quantized:
            if form.backend == settings.backend:
                return bundle.checked(*form.files)
        raise Unavailable(
            f"{bundle.folder} has no int8 form for {settings.backend}; run `ppcls quantize {bundle.folder} "
            f"--backend {settings.backend} --calib LIST`"
        )
    if bundle.onnx is None:
        raise Unavailable(
            f"{bundle.folder} has no inference.onnx, which {settings.backend} runs; export again with "
            f"`ppcls export ... --onnx`, or add it by `ppcls onnx {bundle.folder}`"
        )
    return bundle.checked(bundle.onnx)


def _require_float32_onnx(bundle: Bundle, settings: Settings) -> None:
    """Refuse what only a bundle can have."""
    expect_available(
        bundle.origin is not ModelOrigin.PADDLECLAS,
        f"{bundle.folder} is a model of PaddleClas, which {settings.backend} does not run; make a bundle of it by "
        f"`ppcls adopt {bundle.folder} NEW`, and add its ONNX form by `ppcls onnx NEW`",
    )
    expect_available(
        settings.precision != "int8",
        f"{bundle.path_of(bundle.program)} is run as it is; leave precision int8 out, which `ppcls quantize` makes "
        "of bundles alone",
    )


def check_names(
    file: Path, bundle: Bundle, inputs: Sequence[str], outputs: Sequence[str]
) -> None:
    """Compares a program's inputs and outputs with the manifest.

    Raises:
        UserError: they differ.
    """
    expect(
        list(inputs) == [bundle.input.name] and list(outputs) == [bundle.output.name],
        f"{file} takes {list(inputs)} and gives {list(outputs)}, but its manifest says "
        f"{bundle.input.name} and {bundle.output.name}; export the model again",
    )
