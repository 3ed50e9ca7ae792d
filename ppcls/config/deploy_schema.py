"""The sections of a deployment configuration: how a bundle is run. The bundle itself has all other settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Annotated, Literal

from ppcls.config.dump import to_yaml
from ppcls.config.schema import Transforms
from ppcls.config.tensorrt import TensorRT
from ppcls.utils.fields import CheckedFields, PositiveInt, ReadPath, UserPath, require
from ppcls.utils.registry import Registry

_TENSORRT = TensorRT()


@dataclass(frozen=True)
class DeployGlobalSection(CheckedFields):
    """The run.

    Attributes:
        inference_model_dir: the bundle, a folder that export wrote; PaddleClas's inference model, a folder or tar; or a
            published model's name, `DLA34` or `DLA34/timm`.
        infer_imgs: a picture, its http(s) address, a folder of pictures, or a pattern (`photos/*.jpg`); or a list of
            these.
        batch_size: pictures in one run of the program.
        use_gpu: whether the program runs on the GPU instead of the CPU.
        enable_mkldnn: whether the CPU runs it through oneDNN.
        cpu_num_threads: threads on the CPU; null for `OMP_NUM_THREADS`, or one per core.
        backend: the engine (`paddle-openvino` and `trt` are OpenVINO and TensorRT inside Paddle); null for the one that
            the bundle names, or else for the faster of Paddle's own.
        precision: precision of the arithmetic; null for the one that the bundle names with its engine, or else float32.
        requests: batches that run at the same time; null for as many as the bundle names if several, or else one per
            core on a CPU, at most 4, and one for fewer than 32 pictures. The answers do not depend on it.
        use_fp16: PaddleClas's way of writing precision float16.
        use_tensorrt: whether TensorRT runs the program on the GPU, inside Paddle; null for what the bundle names.
        tensorrt: how; see there.
        model_name: the model of PaddleClas's folder or tar, whose preprocessing it gets; null for what the folder says.
        output: a `.csv` or `.json` file for the answers; null for the console only.
        save_dir: a folder for copies of the pictures, in one folder per class named by its id; null for none.
    """

    inference_model_dir: Annotated[str, ReadPath("either")]
    infer_imgs: (
        Annotated[str, ReadPath("pictures")]
        | tuple[Annotated[str, ReadPath("pictures")], ...]
    )
    batch_size: PositiveInt = 1
    use_gpu: bool = False
    enable_mkldnn: bool = True
    cpu_num_threads: PositiveInt | None = None
    backend: (
        Literal["paddle", "paddle-openvino", "onnxruntime", "openvino", "trt"] | None
    ) = None
    precision: Literal["float32", "float16", "bfloat16", "int8"] | None = None
    requests: PositiveInt | None = None
    use_fp16: bool = False
    use_tensorrt: bool | None = None
    tensorrt: TensorRT = _TENSORRT
    model_name: str | None = None
    output: Annotated[str, UserPath()] | None = None
    save_dir: Annotated[str, UserPath()] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.use_fp16 and self.precision not in (None, "float16"):
            raise ValueError(
                f"use_fp16 asks for float16, but precision is {self.precision}; remove one of them"
            )
        require(
            self.infer_imgs, "infer_imgs is empty; write a picture or a folder of some"
        )
        runs_it = self.use_tensorrt or self.backend == "trt"
        if self.tensorrt != _TENSORRT and not runs_it:
            raise ValueError(
                "tensorrt has options of TensorRT, but TensorRT is not used; write use_tensorrt: true"
            )
        if self.output is None:
            return
        require(
            PurePath(self.output).suffix in (".csv", ".json"),
            f"output is {self.output!r}; write a name that ends with .csv or .json",
        )


@dataclass(frozen=True)
class PreProcessSection(CheckedFields):
    """The preprocessing of a model without a manifest; a bundle carries its own.

    Attributes:
        transform_ops: as PaddleClas's deployment writes them; pictures are decoded to RGB before.
    """

    transform_ops: Transforms | None = None


@dataclass(frozen=True)
class TopkSection(CheckedFields):
    """The answer for a picture.

    Attributes:
        topk: how many classes, the likeliest first.
        class_id_map_file: a file of class names, one per line; null for the names in the bundle.
    """

    topk: PositiveInt = 5
    class_id_map_file: Annotated[str, ReadPath("file")] | None = None


@dataclass(frozen=True)
class PostProcessSection(CheckedFields):
    """How scores become answers."""

    Topk: TopkSection = TopkSection()


@dataclass(frozen=True)
class DeployConfig(CheckedFields):
    """A checked deployment configuration, its sections by their names in YAML."""

    Global: DeployGlobalSection
    PreProcess: PreProcessSection = PreProcessSection()
    PostProcess: PostProcessSection = PostProcessSection()
    _registries: Mapping[str, Registry] = field(
        default_factory=dict, repr=False, compare=False
    )

    def to_yaml(self) -> str:
        """The configuration with every default filled in; loading it gives an equal one."""
        return to_yaml(self, self._registries)
