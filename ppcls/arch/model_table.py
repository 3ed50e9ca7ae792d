"""The table of models: what is counted and published of each. The families in `ppcls.arch.families` fill it.

Counts are exact. `published` has the numbers as their sources print them, in mixed units: "FLOPs" are
multiply-accumulates on some pages and about twice that on others, and some parameter columns include batch-norm
statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_WEIGHTS_URL = "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph/{name}_pretrained.pdparams"
_INFERENCE_URL = "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph/inference/{name}_infer.tar"
LATENCY_BATCHES = (1, 4, 8)
Latency = tuple[float, float, float]  # at those batch sizes


@dataclass(frozen=True)
class Published:
    """What one source prints of a model: ImageNet accuracy in percent, FLOPs in 1e9, parameters in 1e6."""

    top1: float | None = None
    top5: float | None = None
    flops_g: float | None = None
    params_m: float | None = None


@dataclass(frozen=True)
class ModelInfo:
    """One model. Everything but the name and the family may be left out, as where nobody has published anything.

    Attributes:
        name: The name that a configuration and `build_model` use.
        family: The family that it belongs to; models of one family share the layouts of weights.
        trainable_params: Parameters that are trained, for 1,000 classes.
        params_with_statistics: Those and the running means and variances of batch norm.
        macs: Multiply-accumulates of convolutions and fully connected layers, one picture of `input_size`.
        published: What each source prints, by source.
        input_size: Channels, height and width of the input at which it was trained and evaluated.
        resize_short: Length of a picture's short side before the central crop to `input_size`, in pixels.
        has_inference_model: Whether PaddleClas publishes an inference model beside its weights.
        v100_fp32_ms: PaddleClas's TensorRT latencies in milliseconds on a V100 in float32, at batch 1, 4 and 8.
        t4_fp16_ms: The same on a T4 in float16.
        t4_fp32_ms: The same on a T4 in float32.
    """

    name: str
    family: str
    trainable_params: int | None = None
    params_with_statistics: int | None = None
    macs: int | None = None
    published: Mapping[str, Published] = field(default_factory=dict)
    input_size: tuple[int, int, int] = (3, 224, 224)
    resize_short: int = 256
    has_inference_model: bool = True
    v100_fp32_ms: Latency | None = None
    t4_fp16_ms: Latency | None = None
    t4_fp32_ms: Latency | None = None

    @property
    def flops(self) -> int | None:
        """Floating-point operations: two for each multiply-accumulate."""
        return None if self.macs is None else 2 * self.macs

    @property
    def weights_url(self) -> str | None:
        """Address of PaddleClas's official ImageNet weights; None for models that are not PaddleClas's."""
        if "paddleclas" not in self.published:
            return None
        return _WEIGHTS_URL.format(name=self.name)

    @property
    def inference_url(self) -> str | None:
        """Address of PaddleClas's inference model, a tar; None where there is none."""
        if self.weights_url is None or not self.has_inference_model:
            return None
        return _INFERENCE_URL.format(name=self.name)


# Filled by `ppcls.arch.family.register_family`
MODELS: dict[str, ModelInfo] = {}
# The published latencies, by what they were measured on.
LATENCIES: dict[str, Callable[[ModelInfo], Latency | None]] = {
    "V100 FP32": lambda info: info.v100_fp32_ms,
    "T4 FP16": lambda info: info.t4_fp16_ms,
    "T4 FP32": lambda info: info.t4_fp32_ms,
}


def info_of(name: str) -> ModelInfo:
    """The row of a model; one with nothing but defaults for a model without a row, whose family is its own name."""
    return MODELS.get(name) or ModelInfo(name=name, family=name)
