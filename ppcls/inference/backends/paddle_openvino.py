"""OpenVINO inside Paddle: Paddle's wheels for processors carry a copy, which runs programs of Paddle 2.

It needs nothing installed besides Paddle. Paddle itself ignores the request, without a word, for a program of Paddle 3
and in a build without OpenVINO; here both are refused.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ppcls.inference.backends.common import (
    PooledBackend,
    begin,
    engine_processes,
    in_parts,
    pictures_together,
)
from ppcls.inference.backends.default import paddle_has_openvino
from ppcls.inference.backends.paddle import LEGACY, LoadedPredictor
from ppcls.inference.bundle import LEGACY_PROGRAM_FILE, PARAMETERS_FILE, Bundle
from ppcls.inference.settings import Settings
from ppcls.untrusted.paddle_programs import for_one_picture
from ppcls.utils.cpu import threads_for_inference
from ppcls.utils.errors import Unavailable, expect_available
from ppcls.utils.load_paddle import load_paddle

_PRECISIONS = {"float32": "Float32", "bfloat16": "Bfloat16"}

# Predictors that nobody uses any more, by what they run and how. Paddle holds each program that its OpenVINO has
# compiled until the process ends; so whoever opens the same files again takes over the one that is there.
_unused: dict[tuple[str, str, Settings], list[Any]] = {}


class PaddleOpenVinoBackend(PooledBackend):
    """Runs a bundle's program of Paddle 2 by the OpenVINO that Paddle carries. Threads may share it.

    Args:
        bundle: what to run; its files are compared with their digests first.
        settings: float32 or bfloat16, and threads; several requests are as many processes, see `engine_process`.

    Raises:
        Unavailable: the program is not one of Paddle 2, this Paddle has no OpenVINO, or this processor does not compute
            in bfloat16.
        UserError: the bundle is damaged.
    """

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        if settings.requests == 1:
            super().__init__([_load(bundle, settings)])
        else:
            super().__init__(engine_processes(bundle, settings))


def _load(bundle: Bundle, settings: Settings) -> _CheckedPredictor:
    checked = begin(bundle.checked, bundle.program, bundle.parameters)
    check(bundle.path_of(bundle.program), settings)
    program, parameters = checked()
    # The default may be another one when the same files are opened again
    threads = settings.threads or threads_for_inference()
    settings = replace(settings, threads=threads)
    same = (bundle.program.sha256, bundle.parameters.sha256, settings)
    unused = _unused.setdefault(same, [])
    try:
        predictor = unused.pop()
    except IndexError:
        predictor = open_predictor(program, parameters, settings)
    return _CheckedPredictor(
        LoadedPredictor.of(bundle, predictor),
        pictures_together([parameters], settings),
        partial(unused.append, predictor),
    )


def open_program(
    program: Path, parameters: Path, settings: Settings
) -> _CheckedPredictor:
    """Open a program of one input and one output that belongs to no bundle; its files are not needed afterwards.

    Raises:
        Unavailable: see `PaddleOpenVinoBackend`.
    """
    check(program, settings)
    predictor = LoadedPredictor(open_predictor(program, parameters, settings))
    return _CheckedPredictor(predictor, pictures_together([parameters], settings))


class _CheckedPredictor:
    """A predictor whose failures are noticed: Paddle writes an exception of OpenVINO to its log and goes on.

    OpenVINO allocates memory for each new batch size. Where that fails, the scores are those of the batch before.
    """

    def __init__(
        self,
        predictor: LoadedPredictor,
        together: int | None,
        put_aside: Callable[[], None] | None = None,
    ) -> None:
        self._predictor = predictor
        self._together = together
        self._end = put_aside and weakref.finalize(self, put_aside)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Float32 [N, C, H, W], contiguous, to the scores, float32 [N, class_num].

        Raises:
            MemoryError: OpenVINO has not computed them.
        """
        return in_parts(self._run, batch, self._together)

    def _run(self, batch: np.ndarray) -> np.ndarray:
        scores = self._predictor.run(batch)
        if len(scores) != len(batch):
            if self._end:
                self._end.detach()  # nobody takes this one over
            raise MemoryError(
                f"OpenVINO inside Paddle computed no scores for a batch of {len(batch)}"
            )
        return scores


def check(program: Path, settings: Settings) -> None:
    """Whether this Paddle runs the program by OpenVINO, on this processor.

    Raises:
        Unavailable: it does not.
    """
    expect_available(
        program.suffix == LEGACY,
        f"{program} is not a program of Paddle 2, which alone OpenVINO inside Paddle runs; export again with --format "
        "pdmodel, or write backend paddle",
    )
    paddle = load_paddle()
    expect_available(
        paddle_has_openvino(),
        f"this build of Paddle {paddle.__version__} has no OpenVINO inside; write backend paddle",
    )
    if settings.precision == "bfloat16":
        from paddle.base import core

        expect_available(
            core.supports_bfloat16(),
            "this processor does not compute in bfloat16; write precision float32",
        )


def open_predictor(program: Path, parameters: Path, settings: Settings) -> Any:
    """A predictor of Paddle with its OpenVINO; see `PaddleOpenVinoBackend`."""
    from paddle.inference import create_predictor

    try:
        folder = tempfile.TemporaryDirectory(prefix="ppcls-openvino-")
    except OSError as error:
        raise Unavailable(
            f"OpenVINO inside Paddle needs a folder for temporary files ({error}); name one in TMPDIR, or write "
            "backend paddle"
        ) from error
    with folder as place:
        try:
            files = program, parameters
            if pictures_together([parameters], settings) == 1:
                files = _for_one_picture(program, parameters, Path(place))
            return create_predictor(_config(*files, settings, Path(place, "cache")))
        except (OSError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[-1:]
            raise Unavailable(
                f"OpenVINO inside Paddle cannot load {program} ({' '.join(reason)[:300]}); where {place} has too "
                "little space, name another folder in TMPDIR, or write backend paddle"
            ) from error


def _for_one_picture(
    program: Path, parameters: Path, folder: Path
) -> tuple[Path, Path]:
    """Copies in a folder that take one picture: a fixed shape is 1 to 7 % quicker."""
    fixed = folder / LEGACY_PROGRAM_FILE
    fixed.write_bytes(for_one_picture(program))
    return fixed, Path(shutil.copyfile(parameters, folder / PARAMETERS_FILE))


def _config(program: Path, parameters: Path, settings: Settings, cache: Path) -> Any:
    from paddle.inference import Config, PrecisionType

    config = Config(str(program), str(parameters))
    config.disable_glog_info()
    config.disable_gpu()
    config.set_cpu_math_library_num_threads(settings.threads or threads_for_inference())
    config.enable_openvino_engine(
        getattr(PrecisionType, _PRECISIONS[settings.precision])
    )
    expect_available(
        config.openvino_engine_enabled(),
        f"Paddle {load_paddle().__version__} does not switch its OpenVINO on; write backend paddle",
    )
    # Compiled programs are written to a folder, `__cache__` where a user happens to be if it is not named, and read
    # there again: a file that lay there would be run. So it is an empty one, which is gone afterwards.
    cache.mkdir()
    config.set_optim_cache_dir(str(cache))
    return config
