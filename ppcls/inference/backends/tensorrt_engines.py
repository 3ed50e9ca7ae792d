"""How Paddle builds and runs engines of TensorRT: one way for each format of programs, as the calls that it takes.

A program of Paddle 2 goes through `Config.enable_tensorrt_engine`, which builds engines when a predictor is made and
keeps them in its cache folder. One of Paddle 3 is converted before by `paddle.tensorrt`, which writes another program
and its engines.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ppcls.config.tensorrt import TensorRT
from ppcls.utils.load_paddle import load_paddle

Shape = tuple[int, ...]
# Where Paddle looks for the engines of a converted program.
ENGINE_FOLDER_FLAG = "FLAGS_trt_engine_serialized_path"
_GPU_MEMORY_MB = 256  # to begin with
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Task:
    """A program, and how TensorRT is to run it.

    Attributes:
        program: its file.
        parameters: theirs.
        input_name: name of the program's only input.
        shapes: shapes of the smallest, best and largest input, [N, C, H, W].
        precision: precision of the arithmetic.
        options: the rest.
    """

    program: Path
    parameters: Path
    input_name: str
    shapes: tuple[Shape, Shape, Shape]
    precision: str
    options: TensorRT


class EngineBuilder(Protocol):
    """Builds engines and runs them."""

    engines: str  # a pattern of the files' names

    def build(
        self, task: Task, folder: Path, calibration: Iterable[np.ndarray] | None
    ) -> None:
        """Writes the engines, and what a predictor needs to find them, into an empty folder."""

    def open(self, task: Task, folder: Path) -> Any:
        """A predictor that runs the engines in a folder; it has run once, so everything is loaded."""


class LegacyEngineBuilder:
    """Builds and runs the engines of programs of Paddle 2."""

    engines = "trt_serialized_*"
    _SHAPES_FILE = "shapes.pbtxt"
    _PRECISIONS = {"float32": "Float32", "float16": "Half", "int8": "Int8"}

    def build(
        self, task: Task, folder: Path, calibration: Iterable[np.ndarray] | None
    ) -> None:
        """Runs predictors that write shapes and calibration when they go; then the one that builds."""
        from paddle.inference import create_predictor

        if task.options.collect_shapes:
            config = _config(task.program, task.parameters)
            config.collect_shape_range_info(str(folder / self._SHAPES_FILE))
            _run(create_predictor(config), map(_zeros, task.shapes))
        if calibration is not None:
            _run(self._predictor(task, folder), calibration)
        self.open(task, folder)

    def open(self, task: Task, folder: Path) -> Any:
        """See `EngineBuilder`."""
        return _run(self._predictor(task, folder), [_zeros(task.shapes[1])])

    def _predictor(self, task: Task, folder: Path) -> Any:
        from paddle.inference import PrecisionType, create_predictor

        config = _config(task.program, task.parameters)
        config.enable_memory_optim()
        config.set_optim_cache_dir(str(folder))
        config.enable_tensorrt_engine(
            workspace_size=task.options.workspace_mb << 20,
            max_batch_size=task.shapes[2][0],
            min_subgraph_size=task.options.min_subgraph_size,
            precision_mode=getattr(PrecisionType, self._PRECISIONS[task.precision]),
            # Writes the engines into the cache folder, and reads them there
            use_static=True,
            # Writes a calibration table there, unless there is one
            use_calib_mode=task.precision == "int8",
        )
        if task.options.collect_shapes:
            config.enable_tuned_tensorrt_dynamic_shape(
                str(folder / self._SHAPES_FILE), False
            )
        else:
            low, best, high = ({task.input_name: list(shape)} for shape in task.shapes)
            config.set_trt_dynamic_shape_info(
                min_input_shape=low, max_input_shape=high, optim_input_shape=best
            )
        return create_predictor(config)


class PirEngineBuilder:
    """Builds and runs the engines of programs of Paddle 3."""

    engines = "converted/*.trt"
    _CONVERTED = "converted"
    _PRECISIONS = {"float32": "FP32", "float16": "FP16"}

    def build(
        self, task: Task, folder: Path, calibration: Iterable[np.ndarray] | None
    ) -> None:
        """Converts the program; programs of Paddle 3 cannot be calibrated."""
        from paddle.tensorrt.export import Input, PrecisionMode, TensorRTConfig, convert

        low, best, high = task.shapes
        shapes = Input(
            min_input_shape=low,
            max_input_shape=high,
            optim_input_shape=best,
            # Zeros: otherwise it draws from NumPy's own generator
            input_range=(0.0, 0.0),
            name=task.input_name,
        )
        config = TensorRTConfig(
            inputs=[shapes],
            min_subgraph_size=task.options.min_subgraph_size,
            save_model_dir=str(folder / self._CONVERTED),
            precision_mode=getattr(PrecisionMode, self._PRECISIONS[task.precision]),
            workspace_size=task.options.workspace_mb << 20,
        )
        convert(str(task.program.with_suffix("")), config)

    def open(self, task: Task, folder: Path) -> Any:
        """See `EngineBuilder`."""
        from paddle.inference import create_predictor

        stem = folder / self._CONVERTED
        config = _config(Path(f"{stem}.json"), Path(f"{stem}.pdiparams"))
        config.enable_memory_optim()
        # The program names its engines by where they were written, which is not where they lie since; Paddle then
        # looks into the folder of this flag, which it sets by itself for the first predictor of a process alone. The
        # engines are read in the first run.
        with _one_at_a_time:
            load_paddle().set_flags({ENGINE_FOLDER_FLAG: str(stem)})
            return _run(create_predictor(config), [_zeros(task.shapes[1])])


ENGINE_BUILDERS: dict[str, EngineBuilder] = {
    ".pdmodel": LegacyEngineBuilder(),
    ".json": PirEngineBuilder(),
}


def _config(program: Path, parameters: Path) -> Any:
    from paddle.inference import Config, PrecisionType

    config = Config(str(program), str(parameters))
    config.disable_glog_info()
    # What TensorRT does not take stays float32
    config.enable_use_gpu(_GPU_MEMORY_MB, 0, PrecisionType.Float32)
    return config


def _zeros(shape: Shape) -> np.ndarray:
    return np.zeros(shape, np.float32)


def _run(predictor: Any, inputs: Iterable[np.ndarray]) -> Any:
    handle = predictor.get_input_handle(predictor.get_input_names()[0])
    for batch in inputs:
        handle.copy_from_cpu(batch)
        predictor.run()
    return predictor
