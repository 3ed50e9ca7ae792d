"""SqueezeNet: models, published numbers, weights and layouts of weights. Loads no Paddle."""
# No `from __future__ import annotations`: the annotations are read when a configuration is checked.

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from ppcls.arch.catalog import BACKBONES, BackboneParams
from ppcls.arch.family import register_family
from ppcls.arch.model_table import ModelInfo, Published
from ppcls.arch.weights.names import Layout, numbered
from ppcls.arch.weights.sources import paddleclas_weights, torchvision_weights
from ppcls.utils.fields import BelowOne, Range

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone

_FAMILY = "SqueezeNet"
_MODELS = (
    ModelInfo(
        name="SqueezeNet1_0",
        family=_FAMILY,
        trainable_params=1_248_424,
        params_with_statistics=1_248_424,
        macs=777_221_152,
        published={
            "paddleclas": Published(59.6, 81.7, 1.55, 1.24),
            "paper_reference": Published(57.5),
        },
        v100_fp32_ms=(0.68, 1.64, 2.62),
        t4_fp16_ms=(0.97162, 2.06719, 3.67499),
        t4_fp32_ms=(0.96736, 2.53221, 4.54047),
    ),
    ModelInfo(
        name="SqueezeNet1_1",
        family=_FAMILY,
        trainable_params=1_235_496,
        params_with_statistics=1_235_496,
        macs=349_537_280,
        published={
            "paddleclas": Published(60.1, 81.9, 0.69, 1.23),
        },
        v100_fp32_ms=(0.62, 1.3, 2.09),
        t4_fp16_ms=(0.81378, 1.62919, 2.68044),
        t4_fp32_ms=(0.76032, 1.877, 3.15298),
    ),
)
_TORCHVISION = (
    torchvision_weights("SqueezeNet1_0", "squeezenet1_0", "b66bff10", 58.092, 80.42),
    torchvision_weights("SqueezeNet1_1", "squeezenet1_1", "b8a52dc0", 58.178, 80.624),
)
# Places of the fire modules 2 to 9 in torchvision's list of layers
_TORCHVISION_FIRES = {
    "SqueezeNet1_0": (3, 4, 5, 7, 8, 9, 10, 12),
    "SqueezeNet1_1": (3, 4, 6, 7, 9, 10, 11, 12),
}
_PADDLECLAS_PARTS = {
    "squeeze": "_conv",
    "expand1x1": "_conv_path1",
    "expand3x3": "_conv_path2",
}


def _paddleclas_fire(model: str, number: str, part: str) -> str:
    return f"_conv{int(number) - 1}.{_PADDLECLAS_PARTS[part]}._conv"


def _torchvision_fire(model: str, number: str, part: str) -> str:
    return f"features.{_TORCHVISION_FIRES[model][int(number) - 2]}.{part}"


_FIRE = r"fire(\d)\.(\w+)"
_PADDLECLAS_NAMING = numbered(
    _FIRE, _paddleclas_fire, ("stem", "_conv"), ("fc", "_conv9")
)
_TORCHVISION_NAMING = numbered(
    _FIRE, _torchvision_fire, ("stem", "features.0"), ("fc", "classifier.1")
)

register_family(
    _MODELS,
    layouts=(
        # Dropout of 0.5 scales by 0.5 in evaluation at PaddleClas and by 1 / 0.5 in training here and in torch. The
        # classifier's weight takes the difference, which makes both modes exact. Its bias is added after the product
        # and stays.
        Layout("paddleclas", _PADDLECLAS_NAMING, factors={"fc.weight": 0.5}),
        Layout(
            "torchvision",
            _TORCHVISION_NAMING,
            torch=True,
            arguments={"stem_padding": 0, "ceil_pooling": True},
        ),
    ),
    weights=(*paddleclas_weights(_MODELS), *_TORCHVISION),
)

# The largest stem has a kernel of 7, and more padding than that gives windows of zeros alone
_MAX_PADDING = 6


@BACKBONES.register("SqueezeNet1_0")
@dataclass(frozen=True)
class SqueezeNet1_0Params(BackboneParams):
    """SqueezeNet 1.0.

    The geometry belongs to the weights: PaddleClas's were trained with the defaults here, torchvision's with
    `stem_padding=0, ceil_pooling=True` in both versions.

    Attributes:
        stem_padding: Pixels of zeros around the input of the first convolution.
        ceil_pooling: Whether the pools keep a window that is cut off by the border.
    """

    drop_rate: BelowOne = 0.5
    stem_padding: Annotated[int, Range(low=0, high=_MAX_PADDING)] = 0
    ceil_pooling: bool = False

    def _make(self) -> "Backbone":
        from ppcls.arch.families.squeezenet.network import SqueezeNet

        return SqueezeNet(self)


@BACKBONES.register("SqueezeNet1_1")
@dataclass(frozen=True)
class SqueezeNet1_1Params(SqueezeNet1_0Params):
    """SqueezeNet 1.1; the arguments are those of 1.0, with the padding that PaddleClas gives it."""

    stem_padding: Annotated[int, Range(low=0, high=_MAX_PADDING)] = 1
