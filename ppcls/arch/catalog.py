"""Which backbones there are and what each can be told. Loads no Paddle, so configurations are checked fast."""
# No `from __future__ import annotations`: the annotations are read when a configuration is checked.

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, List, Union

from ppcls.arch.model_table import MODELS, PLANNED, ModelInfo, Published
from ppcls.utils.errors import UserError
from ppcls.utils.fields import Fraction, NonNegativeInt, PositiveInt, ReadPath
from ppcls.utils.load_paddle import load_paddle
from ppcls.utils.registry import Registry

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone

__all__ = ["BACKBONES", "MODELS", "PLANNED", "BackboneParams", "DLAParams", "ModelInfo", "Published"]
__all__ += ["SqueezeNet1_0Params", "SqueezeNet1_1Params"]


class _Backbones(Registry):
    """The registry of backbones, which tells a model that is yet to come from a name that means nothing."""

    def __getitem__(self, name: str) -> type:
        if name in PLANNED and name not in self:
            raise UserError(f"{name}: this backbone is not in this version; choose one of {', '.join(self.names())}")
        return super().__getitem__(name)


BACKBONES = _Backbones("backbone")


def family_names(family: str) -> List[str]:
    """The implemented models of a family, in the order of the table."""
    return [row.name for row in MODELS.values() if row.family == family and row.name not in PLANNED]


@dataclass(frozen=True)
class BackboneParams:
    """What every backbone can be told.

    Attributes:
        name: The model's name.
        class_num: Length of the logits; 0 leaves the classifier out and gives pooled features.
        in_channels: Channels of the input.
        drop_rate: Share of values that dropout removes before the classifier, in training only.
        pretrained: False, or the path of a weights file (or of a checkpoint's folder) to load.
    """

    name: str
    class_num: NonNegativeInt = 1000
    in_channels: PositiveInt = 3
    drop_rate: Fraction = 0.0
    pretrained: Union[bool, Annotated[str, ReadPath("weights")]] = False

    def __post_init__(self) -> None:
        _check_integer("class_num", self.class_num, 0)
        _check_integer("in_channels", self.in_channels, 1)
        if not _is_number(self.drop_rate) or not 0 <= self.drop_rate < 1:
            raise ValueError(f"drop_rate is {self.drop_rate!r}; give a number from 0 to below 1")
        if self.pretrained is not False and not _is_path(self.pretrained):
            raise ValueError(
                f"pretrained is {self.pretrained!r}, but named weights are not downloadable in this version; "
                "give the path of a weights file, or false"
            )

    def build(self) -> "Backbone":
        """A new model, with weights drawn from Paddle's generator or loaded from `pretrained`.

        Raises:
            UserError: Paddle is missing, or the weights do not fit the model.
        """
        load_paddle()
        model = self._make()
        if not isinstance(self.pretrained, bool):
            from ppcls.arch.weights import load_weights

            load_weights(model, self.pretrained)
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
    stem_padding: NonNegativeInt = 0
    ceil_pooling: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_integer("stem_padding", self.stem_padding, 0)

    def _make(self) -> "Backbone":
        from ppcls.arch.backbone.squeezenet import SqueezeNet

        return SqueezeNet(self)


@BACKBONES.register("SqueezeNet1_1")
@dataclass(frozen=True)
class SqueezeNet1_1Params(SqueezeNet1_0Params):
    """SqueezeNet 1.1; the arguments are those of 1.0, with the padding that PaddleClas gives it."""

    stem_padding: NonNegativeInt = 1


def _check_integer(name: str, value: object, low: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise ValueError(f"{name} is {value!r}; give a whole number of at least {low}")


def _is_path(value: object) -> bool:
    return isinstance(value, (str, os.PathLike)) and bool(os.fspath(value))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
