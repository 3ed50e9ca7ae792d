"""SENet154_vd: the model, published numbers, weights and the layout of weights. Loads no Paddle."""
# No `from __future__ import annotations`: the annotations are read when a configuration is checked.

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ppcls.arch.catalog import BACKBONES, BackboneParams
from ppcls.arch.family import register_family
from ppcls.arch.model_table import ModelInfo, Published
from ppcls.arch.weights.names import Layout, numbered
from ppcls.arch.weights.sources import paddleclas_weights

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone

_FAMILY = "SENet"
_MODELS = (
    ModelInfo(
        name="SENet154_vd",
        family=_FAMILY,
        trainable_params=121_737_048,
        params_with_statistics=122_032_472,
        macs=24_339_570_688,
        published={
            "paddleclas": Published(81.4, 95.5, 45.83, 114.29),
        },
        v100_fp32_ms=(34.83, 51.22, 69.74),
        t4_fp16_ms=(49.85733, 54.37267, 74.70447),
        t4_fp32_ms=(53.79794, 66.31684, 121.59885),
    ),
)
_KINDS = {"conv": "_conv", "bn": "_batch_norm"}


def _paddleclas_layer(
    model: str, stage: str, block: str, kind: str, number: str
) -> str:
    return f"bb_{stage}_{block}.conv{int(number) - 1}.{_KINDS[kind]}"


_PADDLECLAS_NAMING = numbered(
    r"stages\.(\d)\.(\d+)\.(conv|bn)(\d)",
    _paddleclas_layer,
    (r"stem\.0\.0", "conv1_1._conv"),
    (r"stem\.0\.1", "conv1_1._batch_norm"),
    (r"stem\.1\.0", "conv1_2._conv"),
    (r"stem\.1\.1", "conv1_2._batch_norm"),
    (r"stem\.2\.0", "conv1_3._conv"),
    (r"stem\.2\.1", "conv1_3._batch_norm"),
    (r"stages\.(\d)\.(\d+)\.se\.squeeze", r"bb_\1_\2.scale.squeeze"),
    (r"stages\.(\d)\.(\d+)\.se\.excite", r"bb_\1_\2.scale.excitation"),
    (r"stages\.(\d)\.(\d+)\.shortcut\.1", r"bb_\1_\2.short._conv"),
    (r"stages\.(\d)\.(\d+)\.shortcut\.2", r"bb_\1_\2.short._batch_norm"),
    ("fc", "out"),
)

register_family(
    _MODELS,
    layouts=(Layout("paddleclas", _PADDLECLAS_NAMING, matrices="fc"),),
    weights=paddleclas_weights(_MODELS),
)


@BACKBONES.register("SENet154_vd")
@dataclass(frozen=True)
class SENet154_vdParams(BackboneParams):
    """Squeeze and excitation in a ResNet-D of 154 layers."""

    def _make(self) -> "Backbone":
        from ppcls.arch.families.senet.network import SENet

        return SENet(self)
