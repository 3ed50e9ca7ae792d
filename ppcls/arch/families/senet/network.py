"""SENet154_vd: squeeze and excitation (Hu, Shen, Albanie, Sun, Wu, CVPR 2018, arXiv:1709.01507) in a ResNet-D frame.

The stem of three 3x3 convolutions and the pooled shortcuts are ResNet-D's (He et al., CVPR 2019, arXiv:1812.01187,
section 4.2). It is not a variant of the authors' SENet154, whose weights do not fit: the first convolution of a block
here has the block's full width, there half of it, and there is no dropout here. Deviations from PaddleClas, none of
which changes what a given set of weights computes: the classifier is a 1x1 convolution, and the initial weights are
those of `ppcls.arch.layers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import paddle.nn.functional as F
from paddle import Tensor, nn
from paddle.nn.initializer import KaimingNormal

from ppcls.arch.layers import (
    AvgPool2D,
    Backbone,
    BatchNorm2D,
    Block,
    GlobalAvgPool2D,
    MaxPool2D,
    add,
    conv,
    conv_norm_relu,
    fork,
    scale_channels,
)

if TYPE_CHECKING:
    from ppcls.arch.families.senet.facts import SENet154_vdParams

_STEM = (64, 64, 128)
_CHANNELS = (256, 512, 1024, 2048)
_BLOCKS = (3, 8, 36, 3)
_GROUPS = 64
_REDUCTION = 16
_STRIDES = (2, 4, 8, 16, 32)


class SqueezeExcitation(nn.Layer):
    """Weighs channels by what the whole picture shows (section 3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool = GlobalAvgPool2D()
        self.squeeze = nn.Linear(
            channels, channels // _REDUCTION, weight_attr=KaimingNormal()
        )
        self.excite = nn.Linear(
            channels // _REDUCTION, channels, weight_attr=KaimingNormal()
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] to the same."""
        x, same = fork(x, 2)
        pooled = self.pool(same).flatten(1)  # [N, channels]
        scale = F.sigmoid(self.excite(F.relu(self.squeeze(pooled))))
        return scale_channels(x, scale)


class SEBottleneck(Block):
    """Convolutions of 1x1, grouped 3x3 and 1x1, weighed by squeeze and excitation before the sum."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, channels, 1)
        self.bn1 = BatchNorm2D(channels)
        self.conv2 = conv(channels, channels, 3, stride, groups=_GROUPS)
        self.bn2 = BatchNorm2D(channels)
        self.conv3 = conv(channels, channels, 1)
        self.bn3 = BatchNorm2D(channels)
        self.se = SqueezeExcitation(channels)
        self.shortcut = nn.Identity()
        if in_channels != channels:
            # A window cut off by the border counts what is there, so an odd size is halved as the convolution does.
            if stride == 2:
                pool = AvgPool2D(2, stride=2, ceil_mode=True)
            else:
                pool = nn.Identity()
            self.shortcut = nn.Sequential(
                pool, conv(in_channels, channels, 1), BatchNorm2D(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """[N, in_channels, H, W] to [N, channels, H / stride, W / stride]."""
        x, same = fork(x, 2)
        shortcut = self.shortcut(same)
        x = self.bn1(self.conv1(x), relu=True)
        x = self.bn2(self.conv2(x), relu=True)
        return add(self.se(self.bn3(self.conv3(x))), shortcut, relu=True)


class SENet(Backbone):
    """SENet154_vd. Its stages are the stem and the four stages of blocks."""

    stem_layer = "stem.0.0"

    def __init__(self, params: SENet154_vdParams) -> None:
        super().__init__(params, (_STEM[-1], *_CHANNELS), _STRIDES)
        self.stem = nn.Sequential(
            conv_norm_relu(params.in_channels, _STEM[0], 3, stride=2),
            conv_norm_relu(_STEM[0], _STEM[1], 3),
            conv_norm_relu(_STEM[1], _STEM[2], 3),
        )
        self.shrink = MaxPool2D(3, stride=2, padding=1)
        self.stages = nn.LayerList()
        before = _STEM[-1]
        for k, (channels, blocks) in enumerate(zip(_CHANNELS, _BLOCKS)):
            first = SEBottleneck(before, channels, stride=1 if k == 0 else 2)
            self.stages.append(
                nn.Sequential(
                    first,
                    *(SEBottleneck(channels, channels, 1) for _ in range(blocks - 1)),
                )
            )
            before = channels

    def run_stages(self, x: Tensor) -> list[Tensor]:
        """The stem and the four stages; see `Backbone.run_stages`."""
        stages = [self.stem(x)]  # [N, 128, H/2, W/2]
        x = self.shrink(stages[0])
        for stage in self.stages:
            x = stage(x)
            stages.append(x)  # [N, 256 to 2048, H/4 to H/32, W/4 to W/32]
        return stages
