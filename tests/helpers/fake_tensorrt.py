"""A machine with a GPU and TensorRT, as far as calls go: they are noted, and nothing computes.

Calls to `Config` are bound to the signatures of the installed wheel. Those to `paddle.tensorrt`, which is not in a CPU
wheel, are bound to the documented ones. Files appear when Paddle would write them.
"""

import inspect
import re
import sys
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import paddle.inference


def signature_of(method):
    """The parameters that a method of a C++ class says in the first line of its docstring."""
    inside = re.match(r"\w+\((.*)\) -> ", method.__doc__.splitlines()[0]).group(1)
    kind, empty = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.empty
    parts = re.split(r", (?=\w+: )", inside)  # types have commas, too, but no names
    return inspect.Signature(
        [inspect.Parameter(part.partition(":")[0], kind, default=None if " = " in part else empty) for part in parts]
    )


@dataclass
class Machine:
    """What the machine has, and the calls it got: (call, arguments by name)."""

    class_num: int = 5
    gpu: str = "NVIDIA T4"
    capability: tuple = (7, 5)
    compiled: tuple = (8, 6, 1)
    runtime: tuple = (8, 6, 1)
    log: list = field(default_factory=list)
    engines: bool = True  # whether anything of a program becomes one

    def calls(self, *names):
        """The arguments of the calls of these names."""
        return [given for name, given in self.log if name in names]

    def install(self, patch):
        """Puts the machine in the place of the real one."""
        patch.setattr("paddle.is_compiled_with_cuda", lambda: True)
        patch.setattr("paddle.device.cuda.device_count", lambda: 1)
        patch.setattr("paddle.device.cuda.get_device_name", lambda number: self.gpu)
        patch.setattr("paddle.device.cuda.get_device_capability", lambda number: self.capability)
        patch.setattr("paddle.inference.get_trt_compile_version", lambda: self.compiled)
        patch.setattr("paddle.inference.get_trt_runtime_version", lambda: self.runtime)
        patch.setattr("paddle.get_flags", lambda name: {name: ""})
        patch.setattr("paddle.set_flags", lambda flags: self.log.append(("set_flags", flags)))
        real = paddle.inference.Config
        patch.setattr("paddle.inference.Config", lambda *files: Config(self, real, files))
        patch.setattr("paddle.inference.create_predictor", Predictor)
        package = ModuleType("tensorrt")
        package.__version__ = "8.6.1"
        for name, module in {
            "tensorrt": package, "paddle.tensorrt": ModuleType("paddle.tensorrt"),
            "paddle.tensorrt.export": _export(self),
        }.items():  # fmt: skip
            patch.setitem(sys.modules, name, module)
        return self


class Config:
    """`paddle.inference.Config`."""

    def __init__(self, machine, real, files):
        self._machine, self._real, self.arguments = machine, real, {}
        machine.log.append(("Config", {"program": files[0], "parameters": files[1]}))

    def __getattr__(self, name):
        signature = signature_of(getattr(self._real, name))

        def call(*arguments, **named):
            given = dict(list(signature.bind(self, *arguments, **named).arguments.items())[1:])
            self.arguments[name] = given
            self._machine.log.append((name, given))

        return call


class Predictor:
    """`paddle.inference.Predictor`, which writes what Paddle writes when it is made, and when it goes."""

    def __init__(self, config):
        self._config, self._machine, self._sizes = config, config._machine, []
        self._machine.log.append(("create_predictor", {}))
        given = config.arguments
        self._folder = Path(given["set_optim_cache_dir"]["arg0"]) if "set_optim_cache_dir" in given else None
        engine = given.get("enable_tensorrt_engine")
        tables = list(self._folder.glob("trt_calib_*")) if engine else []
        self._calibrates = bool(engine and engine["use_calib_mode"] and not tables)
        if engine and self._machine.engines and not self._calibrates:
            (self._folder / "trt_serialized_1").write_bytes(b"engine")

    def __del__(self):
        self._machine.log.append(("released", {"sizes": self._sizes}))
        if self._calibrates:
            (self._folder / "trt_calib_1").write_text(str(self._sizes))
        if "collect_shape_range_info" in self._config.arguments:
            Path(self._config.arguments["collect_shape_range_info"]["arg0"]).write_text(str(self._sizes))

    def get_input_names(self):
        return ["image"]

    def get_output_names(self):
        return ["fetch_name_0"]

    def get_input_handle(self, name):
        return SimpleNamespace(copy_from_cpu=lambda batch: self._sizes.append(len(batch)))

    def get_output_handle(self, name):
        sizes, class_num = self._sizes, self._machine.class_num
        return SimpleNamespace(copy_to_cpu=lambda: np.full((sizes[-1], class_num), 1 / class_num, np.float32))

    def run(self):
        self._machine.log.append(("run", {"size": self._sizes[-1]}))


def _export(machine):
    """`paddle.tensorrt.export`."""

    class PrecisionMode(Enum):
        FP32, FP16, BF16, INT8 = "FP32", "FP16", "BF16", "INT8"

    class Input:
        def __init__(self, warmup_data=None, min_input_shape=None, max_input_shape=None, optim_input_shape=None,
                     input_data_type="float32", input_range=None, name=None):  # fmt: skip
            given = {key: value for key, value in locals().items() if value is not None}
            machine.log.append(("Input", {key: given[key] for key in given if key not in ("self", "machine")}))

    class TensorRTConfig:
        def __init__(self, inputs, min_subgraph_size=3, save_model_dir=None, disable_ops=None,
                     precision_mode=PrecisionMode.FP32, ops_run_float=None, optimization_level=3, disable_passes=(),
                     workspace_size=1 << 30, refit_params_path=None):  # fmt: skip
            assert [type(each) for each in inputs] == [Input]
            self.save_model_dir = save_model_dir
            names = ("min_subgraph_size", "save_model_dir", "precision_mode", "workspace_size")
            given = locals()
            machine.log.append(("TensorRTConfig", {name: given[name] for name in names}))

    def convert(model_path, config):
        machine.log.append(("convert", {"model_path": model_path}))
        stem = Path(config.save_model_dir)
        stem.mkdir()
        for suffix in (".json", ".pdiparams"):
            Path(f"{stem}{suffix}").write_text(f"converted{suffix}")
        if machine.engines:
            (stem / "engine_1_0.trt").write_bytes(b"engine")

    module = ModuleType("paddle.tensorrt.export")
    for value in (Input, TensorRTConfig, PrecisionMode, convert):
        setattr(module, value.__name__, value)
    return module
