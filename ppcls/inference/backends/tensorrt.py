"""TensorRT inside Paddle Inference: parts of the program become engines for one kind of GPU.

A machine without TensorRT is refused before anything is loaded. Engines are built once (`tensorrt_engines`) and kept
(`engine_cache`).
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ppcls.config.tensorrt import TensorRT
from ppcls.data.picture_list import PictureList, read_picture_list
from ppcls.data.read_ahead import read_batches
from ppcls.inference.backends.common import (
    PooledBackend,
    begin,
    engine_processes,
    in_parts,
)
from ppcls.inference.backends.engine_cache import EngineKey, cached_engine
from ppcls.inference.backends.paddle import LoadedPredictor, require_gpu
from ppcls.inference.backends.tensorrt_engines import (
    ENGINE_BUILDERS,
    ENGINE_FOLDER_FLAG,
    Task,
)
from ppcls.inference.bundle import ONNX_SUFFIX, Bundle
from ppcls.inference.settings import TENSORRT_OFFERED, Settings
from ppcls.utils.download import cache_home
from ppcls.utils.errors import Unavailable, expect, expect_available, translated
from ppcls.utils.files import resolved, sha256_of
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.logging import get_logger

if TYPE_CHECKING:
    from ppcls.inference.backends import Backend

_PIR = ".json"  # the format of Paddle 3's programs


class TensorRtBackend:
    """Runs a bundle's program by TensorRT, inside Paddle, on a GPU. Threads may share it.

    Batches outside of `min_batch` and `max_batch` are cut or filled up.

    Args:
        bundle: what to run; its files are compared with their digests first.
        settings: precision and options; several requests are as many processes, see `engine_process`.

    Raises:
        UserError: the bundle is damaged, or this machine cannot do what the settings ask for.
    """

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        low, _, high = batches(bundle, _options(settings))
        if settings.requests == 1:
            engines: list[Backend] = [_load(bundle, settings)]
        else:
            engines = engine_processes(bundle, settings, one_first=True)
        self._backend = InParts(PooledBackend(engines), low, high)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to the scores, float32 [N, class_num]."""
        return self._backend.run(batch)


def _load(bundle: Bundle, settings: Settings) -> LoadedPredictor:
    checked = begin(bundle.checked, bundle.program, bundle.parameters)
    require(bundle.path_of(bundle.program), settings)
    checked()
    return LoadedPredictor.of(bundle, open_predictor(bundle, settings))


class InParts:
    """Sends batches through a backend that takes `low` to `high` pictures: larger ones cut, smaller ones filled up."""

    def __init__(self, backend: Backend, low: int, high: int) -> None:
        self._backend, self._low, self._high = backend, low, high

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W] to what the backend gives for each, [N, class_num]."""
        return in_parts(self._part, batch, self._high)

    def _part(self, part: np.ndarray) -> np.ndarray:
        missing = self._low - len(part)
        if missing <= 0:
            return self._backend.run(part)
        filled = np.concatenate(
            [part, np.zeros((missing, *part.shape[1:]), part.dtype)]
        )
        return self._backend.run(filled)[: len(part)]


def require(program: Path, settings: Settings) -> None:
    """Whether this Paddle has TensorRT, and it can do what the settings ask for; nothing is loaded.

    Raises:
        Unavailable: it cannot.
    """
    expect_available(
        program.suffix != ONNX_SUFFIX,
        f"{program} is an ONNX program, which Paddle does not run; write backend onnxruntime or openvino",
    )
    load_paddle()
    require_gpu(
        "TensorRT needs a GPU",
        "-o Global.use_tensorrt=False -o Global.use_gpu=False",
    )
    compiled, runtime = _versions()
    expect_available(
        any(compiled),
        "TensorRT is asked for, but this build of Paddle has none; write -o Global.use_tensorrt=False (in Python, "
        "tensorrt=False), or install a build of Paddle that has it (docs/deployment/tensorrt.md)",
    )
    expect_available(
        any(runtime),
        f"Paddle was built for TensorRT {_dotted(compiled)}, which this machine does not have; install it, and "
        "name the folder of libnvinfer.so in LD_LIBRARY_PATH",
    )
    offered = TENSORRT_OFFERED[program.suffix]
    expect_available(
        settings.precision in offered,
        f"TensorRT runs {program} in {' or '.join(offered)}, not in {settings.precision}; write one of these, or "
        "export again with --format pdmodel, whose programs Paddle calibrates",
    )
    if settings.precision == "int8" and _options(settings).calibration is None:
        raise Unavailable(
            "int8 by TensorRT needs pictures to calibrate on; write --calib LIST for `ppcls verify`, -o "
            "Global.tensorrt.calibration=LIST for `ppcls predict` (in Python, tensorrt=TensorRT(calibration=LIST))"
        )
    if program.suffix == _PIR:
        _python_package()
        _require_engine_flag()


def batches(bundle: Bundle, options: TensorRT) -> tuple[int, int, int]:
    """Pictures in the smallest, best and largest batch; 1 where the program takes one picture at a time."""
    if bundle.input.shape[0] == 1:
        return 1, 1, 1
    return options.min_batch, options.opt_batch, options.max_batch


def open_predictor(bundle: Bundle, settings: Settings) -> Any:
    """A predictor with TensorRT; engines that are not there yet are built, which takes minutes.

    Args:
        bundle: its program and parameters have been compared with their digests.
        settings: with `tensorrt`; `require` has passed them.

    Raises:
        UserError: there are too few pictures to calibrate on.
        Unavailable: no part of the program became an engine.
    """
    options, program = _options(settings), bundle.path_of(bundle.program)
    low, best, high = (
        (count, *bundle.input.shape[1:]) for count in batches(bundle, options)
    )
    task = Task(
        program,
        bundle.path_of(bundle.parameters),
        bundle.input.name,
        (low, best, high),
        settings.precision,
        options,
    )
    builder = ENGINE_BUILDERS[program.suffix]
    if options.calibration is None:
        pictures = None
    else:
        pictures = _enough(options, best[0], bundle)

    def build(folder: Path) -> None:
        # A warning, because `ppcls predict` shows nothing less important, and building takes minutes
        get_logger().warning(
            "building TensorRT's engines of %s; it takes minutes, and is done once",
            program,
        )
        builder.build(
            task,
            folder,
            None
            if pictures is None
            else _full(bundle, pictures, best[0], settings.threads),
        )
        expect_available(
            any(folder.glob(builder.engines)),
            f"no part of {program} became an engine of TensorRT; write a smaller tensorrt.min_subgraph_size, or "
            "leave TensorRT out",
        )

    root = Path(options.cache_dir) if options.cache_dir else cache_home() / "tensorrt"
    # Absolute, for Paddle keeps it.
    folder = cached_engine(
        resolved(root),
        engine_key(bundle, task, None if pictures is None else _digest(pictures)),
        build,
    )
    return builder.open(task, folder)


def engine_key(bundle: Bundle, task: Task, calibration: str | None) -> EngineKey:
    """What the engines of a task follow from, on this machine's first GPU.

    Args:
        bundle: has the digests of program and parameters.
        task: what is built.
        calibration: digest of the pictures for int8.
    """
    paddle = load_paddle()
    pir = task.program.suffix == _PIR
    return EngineKey(
        program=bundle.program.sha256,
        parameters=bundle.parameters.sha256,
        precision=task.precision,
        shapes=task.shapes,
        collect_shapes=task.options.collect_shapes,
        min_subgraph_size=task.options.min_subgraph_size,
        workspace_mb=task.options.workspace_mb,
        calibration=calibration,
        gpu=paddle.device.cuda.get_device_name(0),
        compute_capability=_dotted(paddle.device.cuda.get_device_capability(0)),
        tf32=os.environ.get("NVIDIA_TF32_OVERRIDE") != "0",
        tensorrt=_python_package().__version__ if pir else _dotted(_versions()[1]),
        paddle=paddle.__version__,
    )


def _enough(options: TensorRT, count: int, bundle: Bundle) -> PictureList:
    """The pictures to calibrate on; their labels, which a list may have, do not matter."""
    source = options.calibration or ""
    names = bundle.class_names if Path(source).is_file() else None
    pictures = read_picture_list(source, bundle.class_num, class_names=names)
    expect(
        len(pictures) >= count,
        f"{options.calibration} has {len(pictures)} pictures, fewer than a batch of {count}; give more, or write a "
        "smaller tensorrt.opt_batch",
    )
    return pictures


def _full(
    bundle: Bundle, pictures: PictureList, count: int, threads: int | None
) -> Iterator[np.ndarray]:
    """Batches of `count` pictures, the last few left out: the calibrator's buffers are of the first batch's size."""
    for batch in read_batches(
        bundle.pipeline.from_file, pictures.paths, count, threads
    ):
        if len(batch.inputs) == count:
            yield batch.inputs


def _digest(pictures: PictureList) -> str:
    """SHA-256 of the pictures' bytes, in their order."""
    return hashlib.sha256("".join(map(sha256_of, pictures.paths)).encode()).hexdigest()


def _options(settings: Settings) -> TensorRT:
    assert settings.tensorrt is not None
    return settings.tensorrt


def _versions() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """TensorRT's, of Paddle's build and of this machine; zeros without one."""
    from paddle.inference import get_trt_compile_version, get_trt_runtime_version

    compiled = tuple(get_trt_compile_version())
    return compiled, tuple(get_trt_runtime_version()) if any(compiled) else compiled


def _python_package() -> Any:
    """TensorRT's own Python package, by which `paddle.tensorrt` builds engines.

    Raises:
        Unavailable: it, or `paddle.tensorrt`, is not there.
    """
    for module in ("tensorrt", "paddle.tensorrt.export"):
        with translated(
            ImportError,
            lambda error: Unavailable(
                f"TensorRT takes programs of Paddle 3 by the Python packages tensorrt {_dotted(_versions()[0])} and "
                f"paddle.tensorrt, but {error}; install them, or export again with --format pdmodel"
            ),
        ):
            importlib.import_module(module)
    return importlib.import_module("tensorrt")


def _require_engine_flag() -> None:
    """Whether Paddle finds engines in another folder than the one they were written to, as Paddle 3.0 does not.

    Raises:
        Unavailable: it does not.
    """
    paddle = load_paddle()
    with translated(
        ValueError,
        lambda error: Unavailable(
            f"TensorRT takes programs of Paddle 3 by a newer Paddle than {paddle.__version__}, which has no flag "
            f"{ENGINE_FOLDER_FLAG}; install one, or export again with --format pdmodel"
        ),
    ):
        paddle.get_flags(ENGINE_FOLDER_FLAG)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
