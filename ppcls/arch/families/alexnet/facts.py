"""AlexNet: the model, published numbers, weights and layouts of weights. Loads no Paddle."""
# No `from __future__ import annotations`: the annotations are read when a configuration is checked.

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ppcls.arch.catalog import BACKBONES, BackboneParams
from ppcls.arch.family import register_family
from ppcls.arch.model_table import ModelInfo, Published
from ppcls.arch.weights.names import Layout, rules
from ppcls.arch.weights.sources import paddleclas_weights, torchvision_weights
from ppcls.utils.fields import BelowOne

if TYPE_CHECKING:
    from ppcls.arch.layers import Backbone

_FAMILY = "AlexNet"
_MODELS = (
    ModelInfo(
        name="AlexNet",
        family=_FAMILY,
        trainable_params=61_100_840,
        params_with_statistics=61_100_840,
        macs=714_188_480,
        published={
            "paddleclas": Published(56.7, 79.2, 1.37, 61.09),
            "paper_reference": Published(57.2),
        },
        v100_fp32_ms=(0.81, 1.5, 2.33),
        t4_fp16_ms=(1.06447, 1.70435, 2.38402),
        t4_fp32_ms=(1.44993, 2.46696, 3.72085),
    ),
)
_TORCHVISION = torchvision_weights("AlexNet", "alexnet-owt", "7be5be79", 56.522, 79.066)
_PADDLECLAS_NAMING = rules(
    (r"(?:trio\.)?conv([125])", r"_conv\1._conv"),
    (r"trio\.conv([34])", r"_conv\1"),
    (r"fc([67])", r"_fc\1"),
    ("fc", "_fc8"),
)
_TORCHVISION_NAMING = rules(
    ("conv1", "features.0"),
    ("conv2", "features.3"),
    (r"trio\.conv3", "features.6"),
    (r"trio\.conv4", "features.8"),
    (r"trio\.conv5", "features.10"),
    ("fc6", "classifier.1"),
    ("fc7", "classifier.4"),
    ("fc", "classifier.6"),
)

register_family(
    _MODELS,
    layouts=(
        # Dropout of 0.5 scales by 0.5 in evaluation at PaddleClas and by 1 / 0.5 in training here and in torch. The
        # next layer's weight takes the difference, which makes both modes exact. Its bias is added after the product
        # and stays.
        Layout(
            "paddleclas",
            _PADDLECLAS_NAMING,
            matrices=r"fc\d?",
            factors={"fc6.weight": 0.5, "fc7.weight": 0.5},
        ),
        Layout("torchvision", _TORCHVISION_NAMING, torch=True, matrices=r"fc\d?"),
    ),
    weights=(*paddleclas_weights(_MODELS), _TORCHVISION),
)


@BACKBONES.register("AlexNet")
@dataclass(frozen=True)
class AlexNetParams(BackboneParams):
    """AlexNet, the single stream of 2014."""

    drop_rate: BelowOne = 0.5

    def _make(self) -> "Backbone":
        from ppcls.arch.families.alexnet.network import AlexNet

        return AlexNet(self)
