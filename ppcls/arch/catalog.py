"""Which backbones there are and what each can be told. Loads no Paddle, so configurations are checked fast."""
# No `from __future__ import annotations`: the annotations are read when a configuration is checked.

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from ppcls.arch.model_table import MODELS, ModelInfo, Published
from ppcls.arch.weights.sources import SOURCES
from ppcls.utils.fields import (
    Fraction,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Range,
    ReadPath,
)
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.registry import Registry

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone

__all__ = [
    "BACKBONES",
    "MODELS",
    "AlexNetParams",
    "BackboneParams",
    "DLAParams",
    "DPNParams",
    "DarkNet53Params",
]
__all__ += [
    "ModelInfo",
    "Published",
    "SENet154_vdParams",
    "SqueezeNet1_0Params",
    "SqueezeNet1_1Params",
]

BACKBONES = Registry("backbone")
# The largest stem has a kernel of 7, and more padding than that gives windows of zeros alone
_MAX_PADDING = 6


def family_names(family: str) -> list[str]:
    """The models of a family, in the order of the table."""
    return [row.name for row in MODELS.values() if row.family == family]


@dataclass(frozen=True)
class BackboneParams:
    """What every backbone can be told.

    Attributes:
        name: The model's name.
        class_num: Length of the logits; 0 leaves the classifier out and gives pooled features.
        in_channels: Channels of the input.
        drop_rate: Share of values that dropout removes before the classifier, in training only.
        pretrained: False; True for the official ImageNet weights; the name of a source of such weights (`timm`); the
            address of a weights file (http or https); or the path of one or of a checkpoint's folder.
        use_ema: Whether a file that holds both weights and their exponential moving average gives the average, as
            timm has it.
        recompute: Whether training keeps the inputs of blocks only and computes the rest again in the backward
            pass: less memory for about a third more time.
    """

    name: str
    class_num: NonNegativeInt = 1000
    in_channels: PositiveInt = 3
    drop_rate: Fraction = 0.0
    pretrained: bool | Annotated[str, ReadPath("weights", SOURCES)] = False
    use_ema: bool = True
    recompute: bool = False

    def __post_init__(self) -> None:
        _check_integer("class_num", self.class_num, 0)
        _check_integer("in_channels", self.in_channels, 1)
        if not _is_number(self.drop_rate) or not 0 <= self.drop_rate < 1:
            raise ValueError(
                f"drop_rate is {self.drop_rate!r}; give a number from 0 to below 1"
            )
        if not isinstance(self.pretrained, bool) and not _is_path(self.pretrained):
            raise ValueError(
                f"pretrained is {self.pretrained!r}; give true, false, a source's name, an address or a path"
            )

    def build(self, new_classifier: bool = False) -> "Backbone":
        """A new model, with weights drawn from Paddle's generator or loaded from `pretrained`.

        Args:
            new_classifier: Whether the model keeps a classifier of its own, with drawn weights, where the file has
                none, or one of other classes; a warning says so.

        Raises:
            UserError: Paddle is missing, or the weights cannot be had or do not fit the model.
        """
        if not self.pretrained:
            return self.make()
        from ppcls.arch.weights.load import build_with_weights, locate_weights

        return build_with_weights(
            self, locate_weights(self.name, self.pretrained), new_classifier
        ).model

    def make(self) -> "Backbone":
        """A new model with weights drawn from Paddle's generator, whatever `pretrained` says."""
        load_paddle()
        model = self._make()
        model.set_recompute(self.recompute)
        return model

    def _make(self) -> "Backbone":
        raise NotImplementedError


@BACKBONES.register(*family_names("DLA"))
@dataclass(frozen=True)
class DLAParams(BackboneParams):
    """Deep Layer Aggregation."""

    def _make(self) -> "Backbone":
        from ppcls.arch.backbone.dla import DLA

        return DLA(self)


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

    drop_rate: Fraction = 0.5
    stem_padding: Annotated[int, Range(low=0, high=_MAX_PADDING)] = 0
    ceil_pooling: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_integer("stem_padding", self.stem_padding, 0, _MAX_PADDING)
        if not isinstance(self.ceil_pooling, bool):
            raise ValueError(
                f"ceil_pooling is {self.ceil_pooling!r}; give true or false"
            )

    def _make(self) -> "Backbone":
        from ppcls.arch.backbone.squeezenet import SqueezeNet

        return SqueezeNet(self)


@BACKBONES.register("SqueezeNet1_1")
@dataclass(frozen=True)
class SqueezeNet1_1Params(SqueezeNet1_0Params):
    """SqueezeNet 1.1; the arguments are those of 1.0, with the padding that PaddleClas gives it."""

    stem_padding: Annotated[int, Range(low=0, high=_MAX_PADDING)] = 1


@BACKBONES.register(*family_names("DPN"))
@dataclass(frozen=True)
class DPNParams(BackboneParams):
    """Dual Path Networks.

    Attributes:
        epsilon: What batch norm adds to the variance: 1e-5 belongs to PaddleClas's weights, 1e-3 to timm's.
    """

    epsilon: PositiveFloat = 1e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _is_number(self.epsilon) or not 0 < self.epsilon <= 1:
            raise ValueError(
                f"epsilon is {self.epsilon!r}; give a number above 0 and at most 1, such as 1e-5"
            )

    def _make(self) -> "Backbone":
        from ppcls.arch.backbone.dpn import DPN

        return DPN(self)


@BACKBONES.register("AlexNet")
@dataclass(frozen=True)
class AlexNetParams(BackboneParams):
    """AlexNet, the single stream of 2014."""

    drop_rate: Fraction = 0.5

    def _make(self) -> "Backbone":
        from ppcls.arch.backbone.alexnet import AlexNet

        return AlexNet(self)


@BACKBONES.register("DarkNet53")
@dataclass(frozen=True)
class DarkNet53Params(BackboneParams):
    """DarkNet53, the backbone of YOLOv3.

    Attributes:
        activation_slope: Slope of the activation below zero: 0 (ReLU) belongs to PaddleClas's weights, 0.01 to
            timm's, 0.1 to Darknet's own.
    """

    activation_slope: Fraction = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _is_number(self.activation_slope) or not 0 <= self.activation_slope < 1:
            raise ValueError(
                f"activation_slope is {self.activation_slope!r}; give a number from 0 to below 1"
            )

    def _make(self) -> "Backbone":
        from ppcls.arch.backbone.darknet import DarkNet

        return DarkNet(self)


@BACKBONES.register("SENet154_vd")
@dataclass(frozen=True)
class SENet154_vdParams(BackboneParams):
    """Squeeze and excitation in a ResNet-D of 154 layers."""

    def _make(self) -> "Backbone":
        from ppcls.arch.backbone.senet import SENet

        return SENet(self)


def _check_integer(name: str, value: Any, low: int, high: int | None = None) -> None:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or value < low or (high is not None and value > high):
        wanted = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name} is {value!r}; give a whole number {wanted}")


def _is_path(value: object) -> bool:
    return isinstance(value, (str, os.PathLike)) and bool(os.fspath(value))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
