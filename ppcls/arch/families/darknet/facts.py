"""DarkNet53: the model, published numbers, weights and layouts of weights. Loads no Paddle."""
# No `from __future__ import annotations`: the annotations are read when a configuration is checked.

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ppcls.arch.catalog import BACKBONES, BackboneParams
from ppcls.arch.family import register_family
from ppcls.arch.model_table import ModelInfo, Published
from ppcls.arch.weights.names import Layout, numbered, rules
from ppcls.arch.weights.sources import (
    Preprocessing,
    PretrainedWeights,
    paddleclas_weights,
    printed,
    timm_address,
)
from ppcls.utils.fields import BelowOne

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone

_FAMILY = "DarkNet"
_MODELS = (
    ModelInfo(
        name="DarkNet53",
        family=_FAMILY,
        input_size=(3, 256, 256),
        resize_short=292,
        trainable_params=41_609_928,
        params_with_statistics=41_645_640,
        macs=9_285_115_904,
        published={
            "paddleclas": Published(78.0, 94.1, 18.58, 41.6),
            "paper_reference": Published(77.2, 93.8),
        },
        v100_fp32_ms=(2.79, 6.42, 10.89),
        t4_fp16_ms=(3.18101, 5.88419, 10.14964),
        t4_fp32_ms=(4.10829, 12.1714, 22.15266),
    ),
)
_TIMM = PretrainedWeights(
    "DarkNet53",
    "timm",
    timm_address("darknet53.c2ns_in1k"),
    "Apache-2.0",
    # timm trained it at 256 pixels and prints the accuracy at 288, without a margin.
    Preprocessing(size=288, resize_short=288, interpolation="bicubic", backend="pil"),
    80.536,
    95.434,
)
_DARKNET = PretrainedWeights(
    "DarkNet53",
    "darknet",
    "https://pjreddie.com/media/files/darknet53.weights",
    None,
    # Darknet takes values from 0 to 1 as they are, and shrinks by plain bilinear interpolation, as OpenCV does.
    Preprocessing(
        size=256, resize_short=256, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
    ),
    **printed(_MODELS[0], "paper_reference"),
)
_PADDLECLAS_KINDS = {"0": "_conv", "1": "_bn"}


def _paddleclas_layer(model: str, stage: str, block: str, conv: str, kind: str) -> str:
    block_name = f"_basic_block_{stage}{int(block) + 1}"
    return f"{block_name}._{conv}.{_PADDLECLAS_KINDS[kind]}"


_PADDLECLAS_NAMING = numbered(
    r"stages\.(\d)\.blocks\.(\d)\.(conv\d)\.(\d)",
    _paddleclas_layer,
    (r"stem\.0", "_conv1._conv"),
    (r"stem\.1", "_conv1._bn"),
    (r"stages\.0\.down\.0", "_conv2._conv"),
    (r"stages\.0\.down\.1", "_conv2._bn"),
    (r"stages\.1\.down\.0", "_downsample_0._conv"),
    (r"stages\.1\.down\.1", "_downsample_0._bn"),
    (r"stages\.2\.down\.0", "_downsample_1._conv"),
    (r"stages\.2\.down\.1", "_downsample_1._bn"),
    (r"stages\.3\.down\.0", "_downsample_2._conv"),
    (r"stages\.3\.down\.1", "_downsample_2._bn"),
    (r"stages\.4\.down\.0", "_downsample_3._conv"),
    (r"stages\.4\.down\.1", "_downsample_3._bn"),
    ("fc", "_out"),
)
_TIMM_NAMING = rules(
    (r"stem\.0", "stem.conv1.conv"),
    (r"stem\.1", "stem.conv1.bn"),
    ("fc", "head.fc"),
    (r"(stages\.\d)\.down\.0", r"\1.conv_down.conv"),
    (r"(stages\.\d)\.down\.1", r"\1.conv_down.bn"),
    (r"(stages.*conv\d)\.0", r"\1.conv"),
    (r"(stages.*conv\d)\.1", r"\1.bn"),
)
_DARKNET_NAMING = rules((r"(.*)\.0", r"\1.conv"), (r"(.*)\.1", r"\1.bn"), ("fc", "fc"))

register_family(
    _MODELS,
    layouts=(
        Layout("paddleclas", _PADDLECLAS_NAMING, matrices="fc"),
        Layout(
            "timm",
            _TIMM_NAMING,
            torch=True,
            matrices="fc",
            arguments={"activation_slope": 0.01},
        ),
        Layout("darknet", _DARKNET_NAMING, arguments={"activation_slope": 0.1}),
    ),
    weights=(*paddleclas_weights(_MODELS), _TIMM, _DARKNET),
)


@BACKBONES.register("DarkNet53")
@dataclass(frozen=True)
class DarkNet53Params(BackboneParams):
    """DarkNet53, the backbone of YOLOv3.

    Attributes:
        activation_slope: Slope of the activation below zero: 0 (ReLU) belongs to PaddleClas's weights, 0.01 to
            timm's, 0.1 to Darknet's own.
    """

    activation_slope: BelowOne = 0.0

    def _make(self) -> "Backbone":
        from ppcls.arch.families.darknet.network import DarkNet

        return DarkNet(self)
