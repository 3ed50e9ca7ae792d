"""Dual Path Networks: models, published numbers, weights and layouts of weights. Loads no Paddle."""
# No `from __future__ import annotations`: the annotations are read when a configuration is checked.

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from ppcls.arch.catalog import BACKBONES, BackboneParams
from ppcls.arch.family import register_family
from ppcls.arch.model_table import ModelInfo, Published
from ppcls.arch.weights.names import Layout, rules
from ppcls.arch.weights.sources import (
    Preprocessing,
    PretrainedWeights,
    paddleclas_weights,
    timm_address,
)
from ppcls.utils.fields import Range

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone

_FAMILY = "DPN"
_MODELS = (
    ModelInfo(
        name="DPN68",
        family=_FAMILY,
        trainable_params=12_611_602,
        params_with_statistics=12_676_718,
        macs=2_326_163_456,
        published={
            "paddleclas": Published(76.8, 93.4, 4.03, 10.78),
            "paper_reference": Published(76.4, 93.1),
        },
        v100_fp32_ms=(2.82, 10.9, 14.45),
        t4_fp16_ms=(11.7827, 13.12652, 16.19213),
        t4_fp32_ms=(11.64915, 12.82807, 18.57113),
    ),
    ModelInfo(
        name="DPN92",
        family=_FAMILY,
        trainable_params=37_668_392,
        params_with_statistics=37_793_608,
        macs=6_501_684_224,
        published={
            "paddleclas": Published(79.9, 94.8, 12.54, 36.29),
            "paper_reference": Published(79.3, 94.6),
        },
        v100_fp32_ms=(4.64, 11.2, 20.0),
        t4_fp16_ms=(18.56026, 20.35983, 29.89544),
        t4_fp32_ms=(18.15746, 23.87545, 38.68821),
    ),
    ModelInfo(
        name="DPN98",
        family=_FAMILY,
        trainable_params=61_570_728,
        params_with_statistics=61_735_624,
        macs=11_671_217_152,
        published={
            "paddleclas": Published(80.6, 95.1, 22.22, 58.46),
            "paper_reference": Published(79.9, 94.9),
        },
        v100_fp32_ms=(6.15, 25.22, 35.69),
        t4_fp16_ms=(21.70508, 24.7755, 40.93595),
        t4_fp32_ms=(21.18196, 33.23925, 62.77751),
    ),
    ModelInfo(
        name="DPN107",
        family=_FAMILY,
        trainable_params=86_917_800,
        params_with_statistics=87_131_624,
        macs=18_298_764_288,
        published={
            "paddleclas": Published(80.9, 95.3, 35.06, 82.97),
            "paper_reference": Published(80.2, 95.1),
        },
        v100_fp32_ms=(8.39, 34.44, 52.12),
        t4_fp16_ms=(27.84462, 34.83217, 60.67903),
        t4_fp32_ms=(27.62046, 52.65353, 100.11721),
    ),
    ModelInfo(
        name="DPN131",
        family=_FAMILY,
        trainable_params=79_254_504,
        params_with_statistics=79_477_864,
        macs=16_013_648_896,
        published={
            "paddleclas": Published(80.7, 95.1, 30.51, 75.36),
            "paper_reference": Published(80.1, 94.9),
        },
        v100_fp32_ms=(8.26, 33.96, 48.62),
        t4_fp16_ms=(28.58941, 33.01078, 55.65146),
        t4_fp32_ms=(28.33119, 46.19439, 89.24904),
    ),
)
_STD = 1 / (0.0167 * 255)
_TIMM_PREPROCESSING = Preprocessing(
    interpolation="bicubic",
    backend="pil",
    mean=(124 / 255, 117 / 255, 104 / 255),
    std=(_STD, _STD, _STD),
)
_TIMM_ACCURACIES = {
    "DPN68": (76.346, 93.008),
    "DPN92": (80.038, 94.86),
    "DPN98": (79.67, 94.654),
    "DPN107": (80.168, 94.942),
    "DPN131": (79.814, 94.7),
}


def _weights() -> Iterator[PretrainedWeights]:
    yield from paddleclas_weights(_MODELS)
    for name, (top1, top5) in _TIMM_ACCURACIES.items():
        url = timm_address(f"{name.lower()}.mx_in1k")
        yield PretrainedWeights(
            name, "timm", url, "Apache-2.0", _TIMM_PREPROCESSING, top1, top5
        )


_PADDLECLAS_LAYERS = {
    "stem.0": "conv1_x_1_func._conv",
    "stem.1": "conv1_x_1_func._batch_norm",
    "norm": "conv5_x_x_bn",
    "fc": "out",
}
_PADDLECLAS_PARTS = {
    "project": "c1x1_w_func",
    "reduce": "c1x1_a_func",
    "spatial": "c3x3_b_func",
    "expand": "c1x1_c_func",
}


_PADDLECLAS_KINDS = {"bn": "_batch_norm", "conv": "_conv"}


def _paddleclas_naming(model: str, layers: Sequence[str]) -> dict[str, str]:
    """PaddleClas numbers the blocks through all stages: `conv3_1.reduce.bn` is `dpn4.c1x1_a_func._batch_norm`."""
    theirs: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for layer in layers:
        if layer in _PADDLECLAS_LAYERS:
            theirs[layer] = _PADDLECLAS_LAYERS[layer]
            continue
        block, part, kind = layer.split(".")
        number = numbers.setdefault(block, len(numbers) + 1)
        name = f"dpn{number}.{_PADDLECLAS_PARTS[part]}"
        theirs[layer] = f"{name}.{_PADDLECLAS_KINDS[kind]}"
    return theirs


_TIMM_NAMING = rules(
    (r"stem\.0", "features.conv1_1.conv"),
    (r"stem\.1", "features.conv1_1.bn"),
    ("norm", "features.conv5_bn_ac.bn"),
    ("fc", "classifier"),
    (r"(conv2_1)\.project\.(\w+)", r"features.\1.c1x1_w_s1.\2"),
    (r"(\w+)\.project\.(\w+)", r"features.\1.c1x1_w_s2.\2"),
    (r"(\w+)\.reduce\.(\w+)", r"features.\1.c1x1_a.\2"),
    (r"(\w+)\.spatial\.(\w+)", r"features.\1.c3x3_b.\2"),
    (r"(\w+)\.expand\.(\w+)", r"features.\1.c1x1_c.\2"),
)

register_family(
    _MODELS,
    layouts=(
        Layout("paddleclas", _paddleclas_naming, matrices="fc", epsilon=1e-5),
        Layout("timm", _TIMM_NAMING, torch=True, epsilon=1e-3),
    ),
    weights=_weights(),
)


@BACKBONES.register(*(info.name for info in _MODELS))
@dataclass(frozen=True)
class DPNParams(BackboneParams):
    """Dual Path Networks.

    Attributes:
        epsilon: What batch norm adds to the variance: 1e-5 belongs to PaddleClas's weights, 1e-3 to timm's.
    """

    epsilon: Annotated[float, Range(above=0, high=1)] = 1e-5

    def _make(self) -> "Backbone":
        from ppcls.arch.families.dpn.network import DPN

        return DPN(self)
